# install.sql and code.sql name every file of their directories once.

# list_of FILE DIRECTORY...
compare() {
	list=$1
	shift
	diff <(grep -E '^\\ir ' "sql/$list" 2>/dev/null | sed 's/^\\ir //' | sort) \
		<(cd sql && find "$@" -name '*.sql' 2>/dev/null | sort) |
		sed -n "s/^< /sql\/$list names what does not exist or twice: /p; s/^> /sql\/$list does not name: /p"
}

check() {
	compare install.sql schema
	compare code.sql functions views
}

sample_file_not_named() {
	mkdir sql/functions
	echo 'select 1;' >sql/functions/a.sql
	: >sql/code.sql
}

sample_named_file_is_gone() {
	echo '\ir schema/01-a.sql' >sql/install.sql
}
