# The database layers know nothing of Dovecot's storage: no lib-storage or
# lib-index header there. pgbox-search-sql may see the search arguments.

check() {
	find plugin \( -name 'pgbox-db*.[ch]' -o -name 'pgbox-query*.[ch]' \
		-o -name 'pgbox-search-sql.[ch]' -o -name 'pgbox-sort-sql.[ch]' \) -exec \
		grep -nHE '#include "(mail-storage|mail-index|mail-namespace|mail-user|mailbox-list|index-|pgbox-storage|pgbox-mailbox|pgbox-list)' {} +
}

sample_storage_header() {
	printf '#include "mail-storage.h"\n' >plugin/pgbox-db.c
}
