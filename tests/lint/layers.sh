# The database layers know nothing of Dovecot's storage: no lib-storage or
# lib-index header there. pgbox-search-sql may see the search arguments.
# Of the pgbox-db files each knows only those before it, and nothing else of
# plugin/.

db_files='pgbox-host-file.h pgbox-db.h
	pgbox-db-wire.h pgbox-db-params.c pgbox-db-result.c
	pgbox-db-session.h pgbox-db-session.c pgbox-db-home.c pgbox-db-wait.c pgbox-db-error.c pgbox-db-command.c
	pgbox-db-statement.h pgbox-db-prepare.c pgbox-db-statement.c
	pgbox-db-client.h pgbox-db-advice.c pgbox-db-hosts.c pgbox-db-connect.c pgbox-db-connect-async.c pgbox-db-client.c
	pgbox-db-listen.h pgbox-db-listen.c'

# A definition begins its line with its type or its name; a call is indented.
# shellcheck disable=SC2016
db_uses='
BEGIN { count = split(files, names); for (i = 1; i <= count; i++) place[names[i]] = i }
FNR == 1 { file = FILENAME; sub(/.*\//, "", file) }
/^#include "pgbox-/ && !/pgbox-config.h/ { split($0, part, "\""); uses(file, part[2], part[2]) }
file ~ /c$/ && match($0, /pgbox_db_[a-z0-9_]+\(/) {
	name = substr($0, RSTART, RLENGTH - 1)
	if (/^[a-z]/) home[name] = file
	else { caller[++call_count] = file; called[call_count] = name }
}
END { for (i = 1; i <= call_count; i++) uses(caller[i], home[called[i]], called[i] "()") }
function uses(user, used, what) {
	if (used != "" && (!place[user] || !place[used] || place[used] > place[user]))
		print "plugin/" user " uses " what ", which is above it"
}'

check() {
	find plugin \( -name 'pgbox-db*.[ch]' -o -name 'pgbox-query*.[ch]' \
		-o -name 'pgbox-search-sql.[ch]' -o -name 'pgbox-sort-sql.[ch]' \) -exec \
		grep -nHE '#include "(mail-storage|mail-index|mail-namespace|mail-user|mailbox-list|index-|pgbox-storage|pgbox-mailbox|pgbox-list)' {} +
	find plugin -name 'pgbox-db*.[ch]' | sort | xargs -r awk -v files="${db_files//$'\n'/ }" "$db_uses"
}

sample_storage_header() {
	printf '#include "mail-storage.h"\n' >plugin/pgbox-db.h
}

sample_query_header() {
	printf '#include "pgbox-query.h"\n' >plugin/pgbox-db-client.c
}

sample_upper_header() {
	printf '#include "pgbox-db-client.h"\n' >plugin/pgbox-db-statement.c
}

sample_upper_call() {
	printf 'int\npgbox_db_exec(struct pgbox_db *db)\n{\n}\n' >plugin/pgbox-db-client.c
	printf 'static int a(void)\n{\n\tpgbox_db_exec(db);\n}\n' >plugin/pgbox-db-session.c
}
