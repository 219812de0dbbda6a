# pgbox-schema: what it does, what it refuses and what it tells.
# shellcheck disable=SC2154 # tests/sql/run sets work, sql, source_sql and here

# refused EXIT-STATUS TEXT COMMAND...: it fails so, and says this.
refused() {
	local wanted=$1 text=$2 status=0
	shift 2
	"$@" >"$work/refused" 2>&1 || status=$?
	cat "$work/refused"
	[ "$status" -eq "$wanted" ] || { echo "exit status $status, not $wanted"; return 1; }
	grep -qF -- "$text" "$work/refused" || { echo "it does not say: $text"; return 1; }
	# Advice comes with every error, and the status is never psql's.
	[ "$wanted" -eq 2 ] || [ "$(wc -l <"$work/refused")" -ge 2 ] || { echo "no advice"; return 1; }
}

# A copy of the SQL directory that has one more version: a migration and, in
# the baseline, what it leads to. Sets version, next and migration.
next_version() {
	rm -rf "$work/next"
	cp -r "$sql" "$work/next"
	chmod -R u+w "$work/next"
	version=$(cat "$sql/schema-version")
	next=$((version + 1))
	echo "$next" >"$work/next/schema-version"
	migration=$work/next/migrate/$(printf '%04d' "$next")-made-up.sql
	cat >"$migration" <<-'SQL'
		-- What a migration may be: a new column, a new table.
		alter table pgbox.account add column note text;
		comment on column pgbox.account.note is 'Made up.';
		create table pgbox.made_up (
		    account_id bigint not null,
		    constraint made_up_pkey primary key (account_id)
		);
		comment on table pgbox.made_up is 'Made up.';
	SQL
	cat >"$work/next/schema/99-made-up.sql" <<-'SQL'
		create table pgbox.made_up (
		    account_id bigint not null,
		    constraint made_up_pkey primary key (account_id)
		);
		comment on table pgbox.made_up is 'Made up.';
	SQL
	echo '\ir schema/99-made-up.sql' >>"$work/next/install.sql"
	perl -0pi -e 's/(create table pgbox\.account \(.*?),\n(    constraint)/$1,\n    note text,\n$2/s' \
		"$work/next/schema/02-account.sql"
	cat >>"$work/next/schema/02-account.sql" <<-'SQL'
		comment on column pgbox.account.note is 'Made up.';
	SQL
	{
		cat "$sql/manifest"
		echo "table made_up"
		echo "column made_up.account_id bigint not null"
		echo "constraint made_up_pkey on made_up"
		echo "index made_up_pkey on made_up"
		echo "column account.note text"
	} >"$work/next/manifest"
}

fingerprint() {
	pg_dump --schema-only --no-owner -d "$1" | grep -vE '^(--|$|[\])'
}

test_install() {
	schema version | grep -F 'no pgbox schema'
	schema install | grep -F 'installed schema version'
	schema version | grep -F "schema version $(cat "$sql/schema-version"),"
	schema verify | grep -F 'checks passed'
}

test_install_twice_changes_nothing() {
	schema install
	query "select pgbox.account_open('anna', true)"
	fingerprint tool >"$work/first"
	query "select epoch from pgbox.epoch" >"$work/epoch"
	schema install | grep -F 'nothing to do'
	fingerprint tool | diff "$work/first" -
	query "select epoch from pgbox.epoch" | diff "$work/epoch" -
	[ "$(query 'select count(*) from pgbox.account')" = 1 ]
}

test_upgrade_of_the_current_version_renews_functions() {
	schema install
	fingerprint tool >"$work/first"
	query "create or replace function pgbox.uids_compress(p_uid bigint[]) returns int8multirange language sql as 'select null::int8multirange'"
	schema upgrade | grep -F 'is current'
	fingerprint tool | diff "$work/first" -
	schema upgrade
	fingerprint tool | diff "$work/first" -
}

test_a_failing_install_leaves_nothing() {
	next_version
	echo 'select 1 / 0;' >>"$work/next/grants.sql"
	refused 1 'division by zero' "$work/next/pgbox-schema" install --dsn dbname=tool
	[ "$(query "select to_regnamespace('pgbox') is null")" = t ]
}

test_migrated_and_fresh_schema_are_equal() {
	next_version
	schema install
	query "select pgbox.account_open('anna', true)"
	"$work/next/pgbox-schema" upgrade --dsn dbname=tool | grep -F "from schema version $version to $next"
	fingerprint tool >"$work/migrated"
	[ "$(query 'select name from pgbox.account')" = anna ]
	[ "$(query "select string_agg(version::text, ' ' order by version) from pgbox.schema_version")" = "$version $next" ]
	"$work/next/pgbox-schema" verify --dsn dbname=tool | grep -F 'checks passed'
	"$work/next/pgbox-schema" upgrade --dsn dbname=tool | grep -F 'is current'
	psql -Xqw -d postgres -c 'drop database if exists fresh with (force)' -c 'create database fresh'
	"$work/next/pgbox-schema" install --dsn dbname=fresh
	fingerprint fresh | diff - "$work/migrated"
	psql -Xqw -d postgres -c 'drop database fresh with (force)'
}

# What a frontend knows of the schema it has asked when it connected.
test_upgrade_ends_connections_of_frontends() {
	local frontend
	next_version
	schema install
	coproc frontend { PGAPPNAME=pgbox/imap psql -XAtqw -d tool; }
	echo 'select 1;' >&"${frontend[1]}"
	read -r _ <&"${frontend[0]}"
	schema upgrade | grep -F 'is current'
	echo 'select 2;' >&"${frontend[1]}"
	read -r _ <&"${frontend[0]}"
	"$work/next/pgbox-schema" upgrade --dsn dbname=tool
	echo 'select 3;' >&"${frontend[1]}"
	! read -r _ <&"${frontend[0]}"
}

test_a_failing_migration_leaves_the_old_version() {
	next_version
	echo 'select 1 / 0;' >>"$migration"
	schema install
	fingerprint tool >"$work/first"
	refused 1 'division by zero' "$work/next/pgbox-schema" upgrade --dsn dbname=tool
	fingerprint tool | diff "$work/first" -
	schema version | grep -F "schema version $version,"
}

test_a_missing_migration_is_refused() {
	next_version
	rm "$migration"
	schema install
	refused 1 "the migration to version $next is missing" "$work/next/pgbox-schema" upgrade --dsn dbname=tool
}

test_an_older_schema_is_only_upgraded() {
	next_version
	schema install
	refused 1 'pgbox-schema upgrade' "$work/next/pgbox-schema" install --dsn dbname=tool
	refused 1 'pgbox-schema upgrade' "$work/next/pgbox-schema" verify --dsn dbname=tool
	refused 1 'pgbox-schema upgrade' "$work/next/pgbox-schema" purge --dsn dbname=tool
}

test_a_newer_schema_is_refused() {
	schema install
	query "insert into pgbox.schema_version (version, pgbox_version) values (999, '9.9')"
	for command in install upgrade verify version purge raise-epoch continue-epoch; do
		refused 1 'Install pgbox 9.9 or newer' schema $command
	done
}

test_no_schema_is_told_apart() {
	for command in upgrade verify purge raise-epoch continue-epoch; do
		refused 1 'pgbox-schema install' schema $command
	done
}

test_a_foreign_schema_is_left_alone() {
	query 'create schema pgbox'
	for command in install upgrade verify; do
		refused 1 'did not make' schema $command
	done
}

test_a_version_table_without_rows_is_told_apart() {
	schema install
	query 'delete from pgbox.schema_version'
	refused 1 'was changed by hand' schema upgrade
}

test_two_installs_at_once() {
	local first=0 second=0
	schema install >"$work/one" 2>&1 &
	schema install >"$work/two" 2>&1 || second=$?
	wait $! || first=$?
	cat "$work/one" "$work/two"
	# One installs; the other finds it done, before or after it began.
	[ $((first + second)) -le 1 ]
	grep -qF 'installed schema version' "$work/one" "$work/two"
	schema verify | grep -F 'checks passed'
}

test_connection_errors_say_what_to_do() {
	refused 1 'Check that the server runs' "$sql/pgbox-schema" version --dsn "host=$work/nowhere"
	refused 1 'Check that the server runs' "$sql/pgbox-schema" version --dsn "host=127.0.0.1 port=1"
	refused 1 'createdb' "$sql/pgbox-schema" version --dsn 'dbname=missing'
	refused 1 'Create the role' "$sql/pgbox-schema" version --dsn 'dbname=tool user=missing'
	refused 1 'libpq connection string' "$sql/pgbox-schema" version --dsn 'dbname=tool no_such_option=1'
	refused 1 'Check host=' "$sql/pgbox-schema" version --dsn 'host=no-such-host.invalid'
}

test_missing_rights_say_what_to_do() {
	query 'drop owned by plain cascade' 2>/dev/null || :
	query 'drop role if exists plain'
	query 'create role plain login'
	refused 1 'Run this as a superuser' "$sql/pgbox-schema" install --dsn 'dbname=tool user=plain'
	[ "$(query "select to_regnamespace('pgbox') is null")" = t ]
	schema install
	refused 1 'GRANT pgbox_owner TO' "$sql/pgbox-schema" verify --dsn 'dbname=tool user=plain'
	query 'drop role plain'
}

# Where no superuser is to be had, an administrator prepares what roles.sql
# would make, and the installer needs no more.
test_install_without_superuser() {
	query 'drop role if exists plain'
	query 'create role plain login in role pgbox_owner'
	query 'grant create on database tool to pgbox_owner'
	"$sql/pgbox-schema" install --dsn 'dbname=tool user=plain'
	"$sql/pgbox-schema" verify --dsn 'dbname=tool user=plain' | grep -F 'checks passed'
	"$sql/pgbox-schema" upgrade --dsn 'dbname=tool user=plain'
	[ "$(query "select nspowner::regrole from pg_namespace where nspname = 'pgbox'")" = pgbox_owner ]
	query 'drop role plain'
}

test_a_standby_is_told_apart() {
	query 'alter database tool set default_transaction_read_only = on'
	refused 1 'Connect to the primary' schema install
}

test_another_encoding_is_refused() {
	psql -Xqw -d postgres -c "create database latin encoding 'LATIN1' template template0 locale 'C'"
	refused 1 'needs UTF8' "$sql/pgbox-schema" install --dsn dbname=latin
	psql -Xqw -d postgres -c 'drop database latin'
}

test_an_old_server_is_refused() {
	cp -r "$sql" "$work/strict"
	sed -i 's/^OLDEST_SERVER=.*/OLDEST_SERVER=990000/' "$work/strict/pgbox-schema"
	refused 1 'needs PostgreSQL 14' "$work/strict/pgbox-schema" install --dsn dbname=tool
}

test_missing_psql_is_told() {
	mkdir -p "$work/bin"
	local tool
	for tool in sh dirname cat; do
		ln -sf "$(command -v "$tool")" "$work/bin/$tool"
	done
	refused 1 'apt-get install postgresql-client' env PATH="$work/bin" "$sql/pgbox-schema" version --dsn dbname=tool
}

test_usage_errors() {
	refused 2 'no command given' "$sql/pgbox-schema" --dsn dbname=tool
	refused 2 'unknown command' "$sql/pgbox-schema" remove --dsn dbname=tool
	refused 2 '--dsn is missing' "$sql/pgbox-schema" install
	refused 2 '--dsn needs a value' "$sql/pgbox-schema" install --dsn
	refused 2 'unknown option' schema install --force
	refused 2 'from 1 to 100' schema verify --sample 0
	refused 2 'from 1 to 100' schema verify --sample all
	refused 2 'is not an interval' schema purge --retention "7 days'"
	"$sql/pgbox-schema" --help | grep -F 'Usage: pgbox-schema'
}

test_a_password_on_the_command_line_is_warned_about() {
	"$sql/pgbox-schema" version --dsn 'dbname=tool password=secret' 2>&1 | grep -F 'passfile'
	! "$sql/pgbox-schema" version --dsn 'dbname=tool password=secret' 2>&1 | grep -F secret
}

# verify: each kind of damage is found, and named.

damaged() {
	local text=$1
	shift
	schema install >/dev/null
	psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$here/pgtap-setup.sql"
	query "select tap.save('INBOX', 3, p_keyword => 'k') from tap.account()" >/dev/null
	schema verify --bodies | grep -F 'checks passed'
	for statement in "$@"; do
		query "$statement"
	done
	refused 1 "$text" schema verify --bodies
}

test_verify_finds_wrong_counters() {
	damaged 'unseen 2 (3)' 'update pgbox.mailbox set unseen = unseen - 1'
}

test_verify_finds_wrong_bytes() {
	damaged 'bytes 13 (12)' 'update pgbox.mailbox set bytes = bytes + 1'
}

test_verify_finds_a_uid_above_uidnext() {
	damaged 'uid_next 3 (highest UID 3)' 'update pgbox.mailbox set uid_next = 3'
}

test_verify_finds_a_modseq_above_the_highest() {
	damaged 'modseq 1 (highest' 'update pgbox.mailbox set modseq = 1'
}

test_verify_finds_a_missing_index() {
	damaged 'missing: index mail_message_idx on mail' 'drop index pgbox.mail_message_idx'
}

test_verify_finds_a_missing_function() {
	damaged 'missing: function uids_compress' 'drop function pgbox.uids_compress'
}

test_verify_finds_a_changed_column() {
	damaged 'missing: column mail_change.operation bigint' 'alter table pgbox.mail_change alter column operation type numeric'
}

test_verify_finds_what_does_not_belong() {
	damaged 'unexpected: table extra' 'create table pgbox.extra ()'
}

test_verify_finds_a_wrong_owner() {
	damaged 'relation expunged' 'alter table pgbox.expunged owner to postgres'
}

test_verify_finds_a_disabled_constraint() {
	damaged 'mail_count_check of pgbox.mail_count is not validated' \
		'alter domain pgbox.mail_count drop constraint mail_count_check' \
		'alter domain pgbox.mail_count add constraint mail_count_check check (value >= 0) not valid'
}

test_verify_finds_a_mail_without_message() {
	damaged 'UID 2: message 2 is missing' \
		'delete from pgbox.message where message_id = (select message_id from pgbox.mail where uid = 2)'
}

test_verify_finds_mails_without_mailbox() {
	damaged 'every mail has its mailbox: 1' 'delete from pgbox.mailbox'
}

test_verify_finds_a_missing_chunk() {
	damaged 'size 4, chunks have 0' \
		'delete from pgbox.message_chunk where message_id = (select message_id from pgbox.mail where uid = 2)'
}

test_verify_finds_a_changed_octet() {
	damaged 'UID 2: its octets don'\''t have its SHA-256' \
		"update pgbox.message_chunk set data = 'mael' where message_id = (select message_id from pgbox.mail where uid = 2)"
}

test_verify_finds_chunks_of_nothing() {
	damaged 'message 999999: octets or parts of nothing' \
		"insert into pgbox.message_chunk values (1, 999999, 0, 1, 'x')"
}

test_verify_finds_a_keyword_without_name() {
	damaged 'keyword 1 has no name' 'delete from pgbox.mailbox_keyword'
}

test_verify_finds_a_pop3_uidl_that_nobody_reads() {
	damaged 'UIDLs or orders, and does not say so' "update pgbox.mail set pop3_uidl = 'x' where uid = 2"
}

test_verify_finds_a_uid_that_is_alive_and_expunged() {
	damaged 'UID 2: is expunged, too' "insert into pgbox.expunged (account_id, mailbox_id, modseq, uid_block, uids, guids)
		select account_id, mailbox_id, modseq, uid / 128, array[uid], '{x}' from pgbox.mail where uid = 2"
}

test_verify_finds_a_tombstone_without_guid() {
	damaged 'UIDs {100,101}, 1 GUIDs' \
		"insert into pgbox.expunged (account_id, mailbox_id, modseq, uid_block, uids, guids)
			select account_id, mailbox_id, 1, 0, '{100,101}', '{x}' from pgbox.mailbox limit 1"
}

test_verify_of_a_sample() {
	schema install
	psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$here/pgtap-setup.sql"
	query "select tap.new_mailbox('box ' || i) from generate_series(1, 200) i" >/dev/null
	query 'update pgbox.mailbox set messages = 1, bytes = 0'
	refused 1 'equal a recount: ' schema verify --sample 50
	local found
	found=$(sed -n 's/.*equal a recount: \([0-9]*\)$/\1/p' "$work/refused")
	[ "$found" -gt 50 ] && [ "$found" -lt 150 ]
}

# The rest

# As with pg_upgrade: another cluster, and nothing is lost.
test_continue_epoch() {
	schema install
	query 'update pgbox.epoch set system_identifier = 1'
	query 'select epoch from pgbox.epoch' >"$work/epoch"
	schema continue-epoch | grep -F 'goes on'
	query 'select continued_from[1] from pgbox.epoch' | diff "$work/epoch" -
	[ "$(query 'select fits from pgbox.server_history')" = t ]
}

test_raise_epoch() {
	schema install
	query 'select epoch from pgbox.epoch' >"$work/epoch"
	schema raise-epoch | grep -F 'new epoch'
	! query 'select epoch from pgbox.epoch' | diff "$work/epoch" - >/dev/null
}

test_purge() {
	schema install
	psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$here/pgtap-setup.sql"
	query "select tap.save('INBOX', 1500) from tap.account()" >/dev/null
	query "select tap.change('INBOX', array(select generate_series(1, 1500)), p_expunge => true)" >/dev/null
	schema purge | grep -F 'purged 0 '
	[ "$(query 'select count(*) from pgbox.message')" = 1500 ]
	query "update pgbox.expunged set expunged_at = now() - interval '2 days'"
	schema purge --retention '1 day'
	[ "$(query 'select count(*) from pgbox.message')" = 0 ]
	[ "$(query 'select sum(cardinality(uids)) from pgbox.expunged')" = 1500 ]
	refused 1 'as PostgreSQL intervals' schema purge --retention '1 fortnite'
	query "update pgbox.epoch set clock_at = now() - interval '400 days'"
	schema purge 2>&1 | grep -F 'pgbox-schema: the clock has leapt to'
	query "update pgbox.epoch set clock_at = now() + interval '400 days'"
	schema purge 2>&1 | grep -F 'pgbox-schema: the clock says'
	schema purge 2>&1 | grep -F 'select pgbox.clock_is_right()'
	query 'select pgbox.clock_is_right()'
	[ "$(schema purge 2>&1 | grep -c clock)" = 1 ] # the leap
	schema verify --bodies | grep -F 'checks passed'
}

# A dump that is loaded elsewhere works, and starts another epoch by itself.
test_dump_and_restore() {
	schema install
	psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$here/pgtap-setup.sql"
	query "select tap.save('INBOX', 3) from tap.account()" >/dev/null
	pg_dump -Fc -d tool -f "$work/dump"
	psql -Xqw -d postgres -c 'drop database if exists restored with (force)' -c 'create database restored'
	pg_restore -e -d restored "$work/dump"
	"$sql/pgbox-schema" verify --dsn dbname=restored --bodies | grep -F 'checks passed'
	"$sql/pgbox-schema" raise-epoch --dsn dbname=restored
	psql -Xqw -d postgres -c 'drop database restored with (force)'
}

# With PGBOX_ACCEPT=1 the manifest is written anew.
test_manifest_is_current() {
	[ -z "${PGBOX_ACCEPT:-}" ] || cp "$sql/manifest" "$source_sql/manifest"
	diff "$source_sql/manifest" "$sql/manifest"
}

# Functions are made without a look at their bodies, as they call each other.
test_functions_compile_in_any_order() {
	schema install
	{
		echo 'set check_function_bodies = on;'
		cat "$sql"/functions/*.sql
	} | psql -Xqw -v ON_ERROR_STOP=1 -d tool
}
