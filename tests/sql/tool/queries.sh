# sql/queries: every file can be prepared on a fresh schema, with the rights of
# a frontend.
# shellcheck disable=SC2154 # tests/sql/run sets work and sql

prepare_all() {
	local file name
	for file in "$sql"/queries/*.sql; do
		name=$(basename "$file" .sql)
		{
			echo "set role pgbox_mail;"
			echo "prepare \"$name\" as"
			cat "$file"
			echo ";"
			# A generic plan without values: rights are checked here.
			cat <<-SQL
				select format('explain execute %I%s', name, (
				    select '(' || string_agg(format('null::%s', type), ', ') || ')'
				    from unnest(parameter_types) as type
				))
				from pg_prepared_statements
				\\gexec
			SQL
		} >"$work/prepare.sql"
		psql -Xqw -v ON_ERROR_STOP=1 -d tool -f "$work/prepare.sql" >/dev/null 2>"$work/prepare.err" || {
			echo "$name: $(head -n 3 "$work/prepare.err")"
			return 1
		}
	done
}

test_every_query_can_be_prepared() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	prepare_all
}

test_a_wrong_query_is_noticed() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	mkdir -p "$work/wrong/queries"
	echo "select no_such_column from pgbox.mail where uid = \$1" >"$work/wrong/queries/wrong.sql"
	sql=$work/wrong
	! prepare_all
}

test_a_query_without_rights_is_noticed() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	mkdir -p "$work/forbidden/queries"
	echo "update pgbox.mail set flags = \$1" >"$work/forbidden/queries/forbidden.sql"
	sql=$work/forbidden
	! prepare_all
}
