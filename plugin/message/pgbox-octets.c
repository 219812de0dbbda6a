/* Counts who uses the bytes of a message. Knows nothing of mails and of streams. */

#include "pgbox-config.h"
#include "lib.h"
#include "pgbox-octets.h"

struct pgbox_octets *pgbox_octets_alloc(size_t size)
{
	struct pgbox_octets *octets;

	octets = i_malloc(sizeof(*octets) + size);
	octets->refcount = 1;
	octets->size = size;
	return octets;
}

void pgbox_octets_ref(struct pgbox_octets *octets)
{
	i_assert(octets->refcount > 0);
	octets->refcount++;
}

void pgbox_octets_unref(struct pgbox_octets **_octets)
{
	struct pgbox_octets *octets = *_octets;

	if (octets == NULL)
		return;
	*_octets = NULL;
	i_assert(octets->refcount > 0);
	if (--octets->refcount == 0)
		i_free(octets);
}
