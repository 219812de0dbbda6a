# SQL text lives in sql/. In C only pgbox-search-sql.c and pgbox-sort-sql.c
# compose some, pgbox-db-client.c has the words that control a transaction, and
# pgbox-db-listen.c the one that can't be prepared. pgbox-db-advice.c tells admins
# what to do about roles.

# Prints FILE:LINE:STRING for each string literal; comments are skipped.
# shellcheck disable=SC2016
strings_of='
{
	line = $0
	while (line != "") {
		if (in_comment) {
			if (!match(line, /\*\//)) break
			line = substr(line, RSTART + 2); in_comment = 0; continue
		}
		if (!match(line, /\/\*|\/\/|"/)) break
		token = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (token == "/*") { in_comment = 1; continue }
		if (token == "//") break
		text = ""
		while (line != "" && substr(line, 1, 1) != "\"") {
			n = substr(line, 1, 1) == "\\" ? 2 : 1
			text = text substr(line, 1, n); line = substr(line, n + 1)
		}
		line = substr(line, 2)
		print FILENAME ":" FNR ":" tolower(text)
	}
}'

statement='\b(select .*(from|pgbox\.)|select [0-9(*]|insert into|delete from|update .* set |truncate table|order by|group by|union all|from pgbox\.|where .*=)|^(create|alter|drop) (table|index|function|schema|role|temp|temporary)|^(set|reset|show) [a-z_]+( |$)(to|=)|^(listen|unlisten|notify|prepare|execute|deallocate|discard|lock table) '
transaction='^(begin|start transaction|commit|rollback|savepoint|release)\b'

check() {
	find plugin -name '*.[ch]' ! -name pgbox-search-sql.c ! -name pgbox-sort-sql.c | sort | while read -r file; do
		words="$statement|$transaction"
		case ${file##*/} in
		pgbox-db-client.c) words=$statement ;;
		pgbox-db-listen.c) words=${words/(listen|/(} ;;
		pgbox-db-advice.c) words=${words/|role|/|} ;;
		esac
		awk "$strings_of" "$file" | awk -F: -v OFS=: '{
			where = $1 OFS $2; sub(/^[^:]*:[^:]*:/, ""); print $0 "\t" where }' |
			grep -E "$words" | awk -F'\t' '{ print $2 ": \"" $1 "\"" }'
	done
}

sample_select() {
	printf 'x = "SELECT uid FROM pgbox.mail";\n' >plugin/pgbox-mail.c
}

sample_second_string() {
	printf '/* c */ x("a", "delete from mail");\n' >plugin/pgbox-db-client.c
}

sample_begin() {
	printf 'x = "begin";\n' >plugin/pgbox-mail.c
}
