# A file of plugin/ includes headers of its own folder and of those below. Flags of the
# compiler see to that; this looks whether they do. Of the files of db/ each knows
# only those before it. LINT_COMPILE is the compiler, LINT_FOLDER the flags of a
# folder, in the directory LINT_BUILD.

# shellcheck disable=SC2034
[ -n "${LINT_COMPILE:-}" ] || skip="needs LINT_COMPILE, which make check sets"

# FOLDER BELOW...
arrows='
base
db base
message base db
query base db message
settings base db
storage base db message query settings
services base db message query settings'

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
		print "plugin/db/" user " uses " what ", which is above it"
}'

# preprocess FOLDER: what the compiler says to what comes in
preprocess() {
	local flags=LINT_$1
	# shellcheck disable=SC2086 # many flags
	(cd "$LINT_BUILD" && $LINT_COMPILE ${!flags-} -E -o /dev/null -x c - 2>&1)
}

# check_folder FOLDER BELOW...
check_folder() {
	local folder=$1 header
	for header in plugin/*/*.h; do
		header=${header#plugin/}
		[[ " $* " == *" ${header%/*} "* ]] ||
			printf '#if __has_include("%s")\n#error %s\n#endif\n' "${header##*/}" "$header"
	done | preprocess "$folder" | sed -n "s/.*#error \(.*\)/plugin\/$folder can include \1/p"
}

# check_refused HEADER FOLDER...: of a library
check_refused() {
	local header=$1 folder
	shift
	for folder; do
		printf '#include "pgbox-config.h"\n#include "lib.h"\n#include "%s"\n' "$header" |
			preprocess "$folder" >/dev/null && echo "plugin/$folder can include $header"
	done
}

check() {
	while read -r -a folders; do
		[ ${#folders[@]} -eq 0 ] || check_folder "${folders[@]}"
	done <<<"$arrows"
	for header in mail-storage-private.h mail-namespace.h mail-user.h mailbox-list-private.h mail-index.h; do
		check_refused $header base db message query services
	done
	check_refused libpq-fe.h base message query settings storage services
	find plugin -mindepth 2 -name '*.c' | cut -d / -f 2 | sort -u | grep -vxF -f <(awk '{ print $1 }' <<<"$arrows") |
		sed 's|.*|plugin/& has no layer|'
	find plugin -name '*.[ch]' -exec grep -nHE '#include "[^"]*/' {} +
	find plugin -name 'pgbox-db*.[ch]' | sort | xargs -r awk -v files="${db_files//$'\n'/ }" "$db_uses"
}

sample_header_of_a_folder_above() {
	mkdir plugin/query
	: >plugin/query/pgbox-query.h
	[ -z "$(check)" ] && LINT_db+=" -I$PWD/plugin/query"
}

sample_storage_header() {
	LINT_message=${LINT_message%-include*no-storage.h*}
}

sample_libpq_header() {
	LINT_storage="${LINT_storage%-include*no-libpq.h*} $LINT_db"
}

sample_path() {
	mkdir plugin/query
	printf '#include "../storage/pgbox-save.h"\n' >plugin/query/pgbox-text-batch.c
}

sample_folder_without_a_layer() {
	mkdir plugin/more
	: >plugin/more/pgbox-more.c
}

sample_upper_header() {
	mkdir plugin/db
	printf '#include "pgbox-db-client.h"\n' >plugin/db/pgbox-db-statement.c
}

sample_upper_call() {
	mkdir plugin/db
	printf 'int\npgbox_db_exec(struct pgbox_db *db)\n{\n}\n' >plugin/db/pgbox-db-client.c
	printf 'static int a(void)\n{\n\tpgbox_db_exec(db);\n}\n' >plugin/db/pgbox-db-session.c
}
