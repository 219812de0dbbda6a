#ifndef PGBOX_OCTETS_H
#define PGBOX_OCTETS_H

/* Bytes of a message, shared by those who read them. */

struct pgbox_octets {
	int refcount;
	size_t size;
	unsigned char data[];
};

/* Returns a reference to size bytes that are zero. */
struct pgbox_octets *pgbox_octets_alloc(size_t size);
void pgbox_octets_ref(struct pgbox_octets *octets);
/* *octets may be NULL. */
void pgbox_octets_unref(struct pgbox_octets **octets);

#endif
