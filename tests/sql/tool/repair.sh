# pgbox-schema verify --repair, and what it looks at when.
# shellcheck disable=SC2154 # tests/sql/run sets work, sql and here

# install [FILE...]: the schema, and what tests have of their own.
install() {
	schema install >/dev/null
	local file
	for file in pgtap-setup.sql "$@"; do
		psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$here/$file" >/dev/null
	done
}

# verify ARGUMENT...: its output is in $work/verify; it has to find something.
finds() {
	! schema verify "$@" >"$work/verify" 2>&1 || { cat "$work/verify"; return 1; }
	cat "$work/verify"
}

# is QUERY RESULT
is() {
	local result
	result=$(query "$1")
	[ "$result" = "$2" ] || { echo "$1: $result, not $2"; return 1; }
}

# Each kind of damage in an account of its own.
test_each_kind_is_found_and_mended() {
	local account name
	install damage.sql
	query 'select tap.damage_all()'
	VERIFY_DETAILS=100000 schema verify --bodies >"$work/verify" 2>&1 && return 1
	query "select place || '|' || name from tap.damage" >"$work/kinds"
	[ "$(wc -l <"$work/kinds")" -ge 250 ]
	schema verify --bodies --repair >"$work/repair" 2>&1 || { cat "$work/repair"; return 1; }
	while IFS='|' read -r account name; do
		for file in verify repair; do
			grep -q "account kind${account}[,:]" "$work/$file" || [ "$name" = 'account: deleted' ] ||
				{ echo "$file does not tell of: $name"; return 1; }
		done
	done <"$work/kinds"
	grep -F 'rows of message_chunk' "$work/repair"
	schema verify --bodies | grep -vE '^(ok|looked at)' >"$work/second"
	echo 'all checks passed' | diff - "$work/second"
	schema verify --bodies --repair >"$work/third"
	! grep -E 'mended|MENDED|PROBLEM' "$work/third"
	query 'select * from tap.broken_rules()' >"$work/broken"
	cat "$work/broken"
	[ ! -s "$work/broken" ]
	# What replaces a mail goes with the time, and nothing else does.
	query "update pgbox.expunged set expunged_at = '2026-01-01' where expunged_at < now() + interval '1 year'"
	schema purge
	schema verify --bodies | grep -F 'all checks passed'
}

test_verify_says_what_mends_it() {
	install
	query "select tap.save('INBOX', 3) from tap.account()"
	query 'update pgbox.mail set flags = 99 where uid = 2'
	finds
	grep -F 'account anna, mailbox INBOX: UID 2: flags 99' "$work/verify"
	grep -F 'mend it: pgbox-schema verify --repair' "$work/verify"
	query 'drop function pgbox.uids_compress'
	finds
	grep -F 'mend it: pgbox-schema upgrade' "$work/verify"
}

test_verify_writes_nothing() {
	install damage.sql
	query 'select tap.damage_all()'
	pg_dump --data-only --inserts -d tool | grep '^INSERT' | sort >"$work/before"
	finds --bodies >/dev/null
	pg_dump --data-only --inserts -d tool | grep '^INSERT' | sort | diff "$work/before" -
}

# A name in the database must not become a command, an option or a line of the report.
test_names_are_only_names() {
	install
	query "select tap.account(e'o''x\$(touch $work/pwned)|\\n-- \\\\q')"
	query "select tap.save('INBOX', 1, p_account => name) from pgbox.account"
	query 'update pgbox.mail set flags = 99'
	finds
	schema verify --repair --account "$(query "select name from pgbox.account")" | grep 'mended.*flags 99'
	schema verify | grep -F 'all checks passed'
	[ ! -e "$work/pwned" ]
}

test_one_account() {
	install
	query "select tap.save('INBOX', 3, p_account => a) from unnest(array['anna', 'bert']) a cross join tap.account(a)" >/dev/null
	query 'update pgbox.mailbox set unseen = 0'
	schema verify --repair --account bert | grep -F 'looked at 1 accounts and 1 mailboxes'
	is "select string_agg(unseen::text, ' ' order by account_id) from pgbox.mailbox" '0 3'
	! schema verify --account carl 2>"$work/error"
	grep -F 'there is no such account' "$work/error"
}

test_seconds_end_it() {
	install
	query "select tap.new_mailbox('x', 'user ' || i) from generate_series(1, 300) i" >/dev/null
	sed 's/^VERIFY_BATCH=.*/VERIFY_BATCH=0/' "$sql/pgbox-schema" >"$sql/pgbox-slow"
	chmod 755 "$sql/pgbox-slow"
	"$sql/pgbox-slow" verify --dsn dbname=tool --sample 1s >"$work/sample"
	[ "$(sed -n 's/^looked at \([0-9]*\) accounts.*/\1/p' "$work/sample")" -lt 300 ]
	schema verify --sample 60s | grep -F 'looked at 300 accounts and 600 mailboxes'
	# Each mailbox is looked at once, however short the parts are.
	query "delete from pgbox.account where account_id > 12"
	"$sql/pgbox-slow" verify --dsn dbname=tool | grep -F 'looked at 12 accounts and 24 mailboxes'
}

# The row of the mailbox is locked by somebody who saves: the repair waits, and then counts.
test_a_repair_waits_for_writers() {
	local hold repairing
	install
	query "select tap.save('INBOX', 3) from tap.account()"
	query 'update pgbox.mailbox set unseen = 1'
	coproc hold { psql -XAtqw -d tool; }
	# shellcheck disable=SC2154 # coproc sets hold and hold_PID
	echo "begin; select tap.save('INBOX', 2);" >&"${hold[1]}"
	read -r _ <&"${hold[0]}"
	schema verify --repair >"$work/repair" 2>&1 &
	repairing=$!
	until [ "$(query "select count(*) from pg_locks where not granted")" = 1 ]; do sleep 0.05; done
	printf 'commit;\n\\q\n' >&"${hold[1]}"
	wait "$repairing" || { cat "$work/repair"; return 1; }
	is 'select unseen from pgbox.mailbox' 5
	schema verify | grep -F 'all checks passed'
}
