# The diagram in sql/README.md is the one that the catalog gives.
# shellcheck disable=SC2154 # tests/sql/run sets work and sql

# shellcheck disable=SC2016 # backquotes of the README
test_the_diagram_is_current() {
	"$sql/pgbox-schema" install --dsn dbname=tool
	psql -XAtqw -v ON_ERROR_STOP=1 -d tool -f "$sql/er.sql" >"$work/er"
	sed -n '/^```mermaid$/,/^```$/{/^```/d; p}' "$sql/README.md" | diff -u - "$work/er"
}
