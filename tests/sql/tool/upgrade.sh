# pgbox-schema upgrade of a database full of mail. ../upgrade has a dump of version 1, made by the
# plugin of that version, and the script that made it.
# shellcheck disable=SC2154 # tests/sql/run sets work, sql and here

upgrade() {
	"$sql/pgbox-schema" upgrade --dsn dbname=tool
}

load_version_1() {
	gunzip -c "$here/upgrade/version-1.sql.gz" | psql -Xqw -v ON_ERROR_STOP=1 -d tool >/dev/null
	[ "$(query 'select max(version) from pgbox.schema_version')" = 1 ]
}

deliver_as_version_1() {
	psql -XAtqw -v ON_ERROR_STOP=1 -v account=anna -v mailbox=INBOX -d tool \
		-f "$here/upgrade/version-1-deliver.sql"
}

mails() {
	query "select count(*) from pgbox.mail"
}

verify() {
	"$sql/pgbox-schema" verify --bodies --dsn dbname=tool
}

# Statements that print all rows with the columns that there are now.
queries_of_rows() {
	query "
		select format('copy (select %L, %s from pgbox.%I order by %2\$s) to stdout;',
		    c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum), c.relname)
		from pg_class c
		join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where c.relnamespace = 'pgbox'::regnamespace
		    and c.relkind = 'r'
		    and c.relname <> 'schema_version'
		group by c.relname
		order by c.relname"
}

print_rows() {
	psql -XAtqw -v ON_ERROR_STOP=1 -d tool -f "$1"
}

fingerprint() {
	pg_dump --schema-only --no-owner -d "$1" | grep -vE '^(--|$|[\])'
}

# wait_for CONDITION: until it is true in the database.
wait_for() {
	local tries
	for ((tries = 0; tries < 400; tries++)); do
		[ "$(query "select $1")" != t ] || return 0
		sleep 0.05
	done
	echo "waited in vain for: $1"
	return 1
}

test_upgraded_and_fresh_schema_are_equal() {
	load_version_1
	upgrade | grep -F "from schema version 1 to $(cat "$sql/schema-version")"
	psql -Xqw -d postgres -c 'drop database if exists fresh with (force)' -c 'create database fresh'
	"$sql/pgbox-schema" install --dsn dbname=fresh
	fingerprint fresh >"$work/fresh"
	psql -Xqw -d postgres -c 'drop database fresh with (force)'
	fingerprint tool | diff "$work/fresh" -
}

# "create or replace" leaves a function behind whose parameters have changed.
test_no_function_is_left_behind() {
	load_version_1
	upgrade
	psql -XAtqw -d tool -f "$sql/manifest.sql" -c 'table schema_object' |
		sed -n 's/^\(function\|procedure\) //p' | sort >"$work/upgraded"
	sed -n 's/^\(function\|procedure\) //p' "$sql/manifest" | sort >"$work/fresh"
	comm -23 "$work/upgraded" "$work/fresh" >"$work/left"
	sed 's/^/the migration has to drop: /' "$work/left"
	[ ! -s "$work/left" ]
}

test_upgrade_keeps_all_rows() {
	load_version_1
	queries_of_rows >"$work/queries"
	print_rows "$work/queries" >"$work/rows"
	[ "$(wc -l <"$work/rows")" -gt 500 ]
	upgrade
	print_rows "$work/queries" | diff "$work/rows" -
	verify | grep -F 'checks passed'
}

# Rows of version 1 that constraints of this version would refuse.
test_upgrade_with_rows_that_should_not_be() {
	load_version_1
	query "update pgbox.mailbox set modseq = 0 where name = 'INBOX'"
	query "update pgbox.mailbox_keyword set name = '' where keyword_id = 1"
	upgrade | grep -F 'next: there are rows that should not be, mend them: pgbox-schema verify --repair'
	verify >"$work/verify" && return 1
	grep -F 'mod_sequence_check of pgbox.mod_sequence is not validated' "$work/verify"
	grep -F "keyword 1 is named ''" "$work/verify"
	grep -F 'modseq 0 (highest' "$work/verify"
	"$sql/pgbox-schema" verify --repair --dsn dbname=tool
	verify | grep -F 'all checks passed'
	! query 'update pgbox.mailbox set modseq = 0'
	upgrade | grep -cF next: | grep -x 0
	psql -Xqw -d postgres -c 'drop database if exists fresh with (force)' -c 'create database fresh'
	"$sql/pgbox-schema" install --dsn dbname=fresh
	fingerprint fresh >"$work/fresh"
	psql -Xqw -d postgres -c 'drop database fresh with (force)'
	fingerprint tool | diff "$work/fresh" -
}

test_upgrade_twice_changes_nothing() {
	load_version_1
	upgrade
	fingerprint tool >"$work/first"
	queries_of_rows >"$work/queries"
	print_rows "$work/queries" >"$work/rows"
	upgrade | grep -F 'is current'
	fingerprint tool | diff "$work/first" -
	print_rows "$work/queries" | diff "$work/rows" -
}

# A delivery that is being committed is waited for, and one that comes meanwhile waits.
test_deliveries_before_during_and_after() {
	local before upgrading delivering hold
	load_version_1
	before=$(mails)
	deliver_as_version_1

	coproc hold { psql -XAtqw -v account=anna -v mailbox=INBOX -d tool; }
	# shellcheck disable=SC2154 # coproc sets hold and hold_PID
	printf 'begin;\n\\i %s\nselect 1;\n' "$here/upgrade/version-1-deliver.sql" >&"${hold[1]}"
	read -r _ <&"${hold[0]}"
	upgrade >"$work/upgrade" 2>&1 &
	upgrading=$!
	wait_for "count(*) > 0 from pg_locks l join pg_stat_activity a using (pid)
		where a.application_name = 'pgbox-schema' and not l.granted"
	deliver_as_version_1 >"$work/delivery" 2>&1 &
	delivering=$!
	wait_for "count(*) > 0 from pg_locks l join pg_stat_activity a using (pid)
		where a.application_name = 'pgbox-test' and not l.granted"
	printf 'commit;\n\\q\n' >&"${hold[1]}"
	wait "$upgrading" || { cat "$work/upgrade"; return 1; }
	wait "$delivering" || { cat "$work/delivery"; return 1; }

	psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$here/pgtap-setup.sql"
	query "select tap.save('INBOX', p_keyword => 'kwA')"
	[ "$(mails)" = $((before + 4)) ]
	query 'drop schema tap cascade'
	verify | grep -F 'checks passed'
}
