#ifndef PGBOX_FOLDING_H
#define PGBOX_FOLDING_H

/* Which way of folding text this process has. Text and sort keys in the database
   were folded by the Dovecot that wrote them; another version may have other
   Unicode tables, and then its text can't be compared with ours. */

/* Returns a number that is the same for all versions of Dovecot that fold all
   characters alike, and for no other. Takes about a millisecond the first time. */
int32_t pgbox_folding_get(void);

#endif
