/* Makes lines of base64 shorter before they are compressed, and longer again.
   Knows nothing of MIME: what looks like such lines is packed. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-base64.h"

#define GROUP_CHARS 4
#define GROUP_OCTETS 3
#define LINE_MAX_GROUPS UINT8_MAX
#define LINE_MAX_BYTES (LINE_MAX_GROUPS * GROUP_CHARS + 2)
#define SEGMENT_HEADER_BYTES 3
/* Shorter runs are not worth their two segments. */
#define RUN_MIN_SAVED_BYTES 32
/* In decode tables: no character of base64 */
#define INVALID (1U << 31)

static const char base64_chars[64] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What each character of a group stands for, at its place in 24 bits */
static uint32_t decode_tables[GROUP_CHARS][UINT8_MAX + 1];
/* The two characters for each 12 bits */
static unsigned char encode_table[1 << 12][2];

static void tables_init(void)
{
	unsigned int i, c;

	if (encode_table[0][0] != '\0')
		return;
	memset(decode_tables, 0xff, sizeof(decode_tables));
	for (i = 0; i < GROUP_CHARS; i++) {
		for (c = 0; c < N_ELEMENTS(base64_chars); c++) {
			decode_tables[i][(unsigned char)base64_chars[c]] =
				c << (18 - 6 * i);
		}
	}
	for (i = 0; i < N_ELEMENTS(encode_table); i++) {
		encode_table[i][0] = base64_chars[i >> 6];
		encode_table[i][1] = base64_chars[i & 63];
	}
}

/*
 * Packing
 */

/* Writes what stands before the octets of a segment. */
static void
segment_begin(unsigned char *dest, unsigned int groups, size_t count)
{
	i_assert(count <= UINT16_MAX);
	dest[0] = groups;
	dest[1] = count & 0xff;
	dest[2] = count >> 8;
}

size_t pgbox_base64_keep(const unsigned char *data, size_t size,
			 unsigned char *dest)
{
	if (size == 0)
		return 0;
	segment_begin(dest, 0, size);
	memcpy(dest + SEGMENT_HEADER_BYTES, data, size);
	return SEGMENT_HEADER_BYTES + size;
}

static bool
line_decode(const unsigned char *line, unsigned int groups, unsigned char *dest)
{
	uint32_t bits;

	for (; groups > 0; groups--) {
		bits = decode_tables[0][line[0]] | decode_tables[1][line[1]] |
			decode_tables[2][line[2]] | decode_tables[3][line[3]];
		if ((bits & INVALID) != 0)
			return FALSE;
		dest[0] = bits >> 16;
		dest[1] = bits >> 8;
		dest[2] = bits;
		line += GROUP_CHARS;
		dest += GROUP_OCTETS;
	}
	return line[0] == '\r' && line[1] == '\n';
}

/* How many groups the line that begins at data has, if it can be one of base64:
   else 0. next_r is where the next line begins. */
static unsigned int
line_get_groups(const unsigned char *data, size_t size, size_t *next_r)
{
	const unsigned char *end = memchr(data, '\n', size);
	size_t chars;

	*next_r = end == NULL ? size : (size_t)(end + 1 - data);
	if (end == NULL || *next_r < GROUP_CHARS + 2 ||
	    *next_r > LINE_MAX_BYTES)
		return 0;
	chars = *next_r - 2;
	return chars % GROUP_CHARS == 0 ? chars / GROUP_CHARS : 0;
}

/* Decodes lines of that many groups. Returns how many there are. */
static size_t
lines_decode(const unsigned char *data, size_t size, unsigned int groups,
	     unsigned char *dest)
{
	size_t line_size = groups * GROUP_CHARS + 2, lines;

	for (lines = 0; size >= line_size; lines++) {
		if (!line_decode(data, groups, dest))
			break;
		data += line_size;
		size -= line_size;
		dest += groups * GROUP_OCTETS;
	}
	return lines;
}

size_t pgbox_base64_pack(const unsigned char *data, size_t size,
			 unsigned char *dest, size_t *saved_r)
{
	size_t literal = 0, pos = 0, used = 0, next, lines, saved;
	unsigned int groups;
	unsigned char *segment;

	i_assert(size <= PGBOX_BASE64_MAX_BYTES);
	tables_init();
	*saved_r = 0;
	for (; pos < size; pos += next) {
		groups = line_get_groups(data + pos, size - pos, &next);
		if (groups == 0)
			continue;
		/* where it will be if it is worth it: the octets before it
		   are not packed */
		segment = dest + used + (pos > literal ?
			SEGMENT_HEADER_BYTES + pos - literal : 0);
		lines = lines_decode(data + pos, size - pos, groups,
				     segment + SEGMENT_HEADER_BYTES);
		saved = lines * (next - groups * GROUP_OCTETS);
		if (saved < RUN_MIN_SAVED_BYTES)
			continue;
		used += pgbox_base64_keep(data + literal, pos - literal,
					  dest + used);
		segment_begin(segment, groups, lines);
		used += SEGMENT_HEADER_BYTES + lines * groups * GROUP_OCTETS;
		*saved_r += saved;
		next *= lines;
		literal = pos + next;
	}
	if (*saved_r == 0)
		return SEGMENT_HEADER_BYTES + size;
	return used + pgbox_base64_keep(data + literal, size - literal,
					dest + used);
}

/*
 * Unpacking
 */

static void
line_encode(const unsigned char *octets, unsigned int groups,
	    unsigned char *dest)
{
	uint32_t bits;

	for (; groups > 0; groups--) {
		bits = octets[0] << 16 | octets[1] << 8 | octets[2];
		memcpy(dest, encode_table[bits >> 12], 2);
		memcpy(dest + 2, encode_table[bits & 0xfff], 2);
		octets += GROUP_OCTETS;
		dest += GROUP_CHARS;
	}
	dest[0] = '\r';
	dest[1] = '\n';
}

/* Gives at most size octets of the lines. Returns their number. */
static size_t
lines_unpack(const unsigned char *octets, size_t lines, unsigned int groups,
	     unsigned char *dest, size_t size)
{
	unsigned char last[LINE_MAX_BYTES];
	size_t line_size = groups * GROUP_CHARS + 2, pos = 0;

	for (; lines > 0 && size - pos >= line_size; lines--) {
		line_encode(octets, groups, dest + pos);
		octets += groups * GROUP_OCTETS;
		pos += line_size;
	}
	if (lines > 0) {
		line_encode(octets, groups, last);
		memcpy(dest + pos, last, size - pos);
		pos = size;
	}
	return pos;
}

ssize_t pgbox_base64_unpack(const unsigned char *data, size_t data_size,
			    unsigned char *dest, size_t size)
{
	size_t pos = 0, count, have;
	unsigned int groups;

	tables_init();
	while (pos < size && data_size > SEGMENT_HEADER_BYTES) {
		groups = data[0];
		count = data[1] | data[2] << 8;
		if (count == 0)
			return -1;
		data += SEGMENT_HEADER_BYTES;
		data_size -= SEGMENT_HEADER_BYTES;
		if (groups == 0) {
			have = I_MIN(count, data_size);
			memcpy(dest + pos, data, I_MIN(have, size - pos));
			pos += I_MIN(have, size - pos);
		} else {
			have = I_MIN(count, data_size / (groups * GROUP_OCTETS));
			pos += lines_unpack(data, have, groups, dest + pos,
					    size - pos);
		}
		if (have < count)
			break;
		have *= groups == 0 ? 1 : groups * GROUP_OCTETS;
		data += have;
		data_size -= have;
	}
	return pos;
}
