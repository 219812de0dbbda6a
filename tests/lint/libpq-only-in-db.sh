# libpq is known to plugin/pgbox-db*.[ch] and to nothing else.

check() {
	find plugin -name '*.[ch]' ! -name 'pgbox-db*' -exec \
		grep -nHE 'libpq-fe\.h|\bPQ[a-z][A-Za-z]+ *\(|\b(PGconn|PGresult)\b' {} +
}

sample_call() {
	printf 'int n = PQntuples (result);\n' >plugin/pgbox-mail.c
}

sample_type_in_header() {
	printf 'struct pgbox_mail { PGresult *result; };\n' >plugin/pgbox-mail.h
}
