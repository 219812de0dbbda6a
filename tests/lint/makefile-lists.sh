# Makefile.am names every source, unit test and lint.

check() {
	for file in plugin/*/*.c tests/unit/test-*.c tests/lint/*.sh; do
		[ -f "$file" ] || continue
		case $file in
		tests/unit/*) file=${file%.c} ;; # automake knows what it is made of
		esac
		grep -qE "(^|[[:space:]=])$file([[:space:]]|\$)" Makefile.am ||
			echo "Makefile.am does not name $file"
	done
}

sample_source_not_named() {
	mkdir plugin/storage
	echo 'int a;' >plugin/storage/pgbox-mail.c
	echo 'storage_SOURCES = plugin/storage/pgbox-mail.cc' >Makefile.am
}

sample_unit_test_not_named() {
	mkdir tests/unit
	echo 'int a;' >tests/unit/test-pgbox-mail.c
	echo 'unit_tests =' >Makefile.am
}
