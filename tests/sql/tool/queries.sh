# sql/queries: every file can be prepared on a fresh schema, with the rights of
# a frontend, and gives the columns that it says.
# shellcheck disable=SC2154 # tests/sql/run sets work and sql

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# generated MODE NAME
generated() {
	awk -v mode="$1" -v only="$2" -f "$here/../../../sql/queries.awk" "$sql"/queries/*.sql
}

prepare() {
	echo "set role pgbox_mail;"
	generated prepare "$1" || return 1
	# A generic plan without values: rights are checked here.
	cat <<-SQL
		select format('explain execute %I%s', name, arguments) as explain,
		    format('execute %I%s', name, arguments) as execute
		from pg_prepared_statements
		cross join lateral (
		    select '(' || string_agg(format('null::%s', type), ', ') || ')' as arguments
		    from unnest(parameter_types) as type
		) a
		\\gset
		:explain \\g /dev/null
		:execute \\gdesc
	SQL
}

prepare_all() {
	local file name
	for file in "$sql"/queries/*.sql; do
		name=$(basename "$file" .sql)
		prepare "$name" >"$work/prepare.sql" || return 1
		psql -Xqw -v ON_ERROR_STOP=1 -At -d tool -f "$work/prepare.sql" \
			>"$work/prepare.out" 2>"$work/prepare.err" || {
			echo "$name: $(head -n 3 "$work/prepare.err")"
			return 1
		}
		generated columns "$name" >"$work/columns"
		# what is void has no columns that anybody reads
		if [ -s "$work/columns" ] && ! diff "$work/columns" "$work/prepare.out"; then
			echo "$name has other columns"
			return 1
		fi
	done
}

test_every_query_can_be_prepared() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	prepare_all
}

test_a_wrong_query_is_noticed() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	mkdir -p "$work/wrong/queries"
	printf '%s\n' '-- Parameters:' '--   uid bigint' \
		'select no_such_column from pgbox.mail where uid = :uid' >"$work/wrong/queries/wrong.sql"
	sql=$work/wrong
	! prepare_all
}

test_a_query_without_rights_is_noticed() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	mkdir -p "$work/forbidden/queries"
	printf '%s\n' '-- Parameters:' '--   flags smallint' \
		'update pgbox.mail set flags = :flags' >"$work/forbidden/queries/forbidden.sql"
	sql=$work/forbidden
	! prepare_all
}

# of the same type, so that nothing else would notice
test_columns_in_another_order_are_noticed() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	mkdir -p "$work/swapped/queries"
	printf '%s\n' '-- Parameters:' '--   uid bigint' '-- Columns:' '--   modseq bigint' '--   uid bigint' \
		'select m.uid, m.modseq from pgbox.mail m where m.uid = :uid' >"$work/swapped/queries/swapped.sql"
	sql=$work/swapped
	! prepare_all
}
