# Makefile.am names every source, header, unit test and lint.

check() {
	for file in plugin/*.c plugin/*.h tests/unit/test-*.c tests/lint/*.sh; do
		[ -f "$file" ] || continue
		case $file in
		plugin/pgbox-config.h|plugin/pgbox-query-list.h) continue ;;
		tests/unit/*) file=${file%.c} ;; # automake knows what it is made of
		esac
		grep -qE "(^|[[:space:]=])$file([[:space:]]|\$)" Makefile.am ||
			echo "Makefile.am does not name $file"
	done
}

sample_source_not_named() {
	echo 'int a;' >plugin/pgbox-mail.c
	echo 'plugin_sources = plugin/pgbox-mail.cc' >Makefile.am
}

sample_unit_test_not_named() {
	mkdir tests/unit
	echo 'int a;' >tests/unit/test-pgbox-mail.c
	echo 'unit_tests =' >Makefile.am
}
