#ifndef PGBOX_BASE64_H
#define PGBOX_BASE64_H

/* Octets with less base64 in them: lines of base64 (RFC 2045 6.8) that are
   equally long and end with CRLF become the octets that they stand for, which
   zstd compresses several times faster, or passes over. Lines that could not be
   made again exactly, as those with padding, stay as they are.

   What is packed is a sequence of segments: a byte, a little-endian 16 bit
   number, octets. If the byte is 0, the number is that of the octets, which are
   meant as they are. Otherwise it is how many groups of four characters a line
   has, and the number is that of the lines. */

/* Octets that can be packed at once, and how much longer the packed ones can
   be at most */
#define PGBOX_BASE64_MAX_BYTES (32 * 1024)
#define PGBOX_BASE64_OVERHEAD_BYTES 3

/* Packs size octets, into as many bytes and PGBOX_BASE64_OVERHEAD_BYTES more at
   most. Returns how many they are; saved_r is by how much lines became shorter.
   If it is 0 there are no such lines, and nothing useful is in dest: mostly
   that is all that is to know. */
size_t pgbox_base64_pack(const unsigned char *data, size_t size,
			 unsigned char *dest, size_t *saved_r);
/* Makes what pgbox_base64_pack() returns the size of if there are no lines. */
size_t pgbox_base64_keep(const unsigned char *data, size_t size,
			 unsigned char *dest);
/* Gives the first octets of what was packed, as many as data has, at most size.
   Returns their number, or -1 if data is not what pgbox_base64_pack() makes. */
ssize_t pgbox_base64_unpack(const unsigned char *data, size_t data_size,
			    unsigned char *dest, size_t size);

#endif
