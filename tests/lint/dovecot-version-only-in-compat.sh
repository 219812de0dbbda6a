# Differences between Dovecot versions are known to plugin/base/pgbox-compat.h only.

check() {
	find plugin -name '*.[ch]' ! -name pgbox-compat.h -exec \
		grep -nHE 'DOVECOT_PREREQ|HAVE_DOVECOT|DOVECOT_VERSION_(MAJOR|MINOR|MICRO)' {} +
}

sample_prereq() {
	printf '#if DOVECOT_PREREQ(2,4)\n#endif\n' >plugin/pgbox-mail.c
}
