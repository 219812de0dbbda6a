# queries.awk - turn sql/queries/*.sql into C.
#
#     awk -v mode=list -f queries.awk *.sql > pgbox-query-list.h
#     awk -v mode=data -f queries.awk *.sql > pgbox-query-data.inc
#     awk -v mode=prepare -v only=mailbox-sync -f queries.awk *.sql | psql
#     awk -v mode=columns -v only=mailbox-sync -f queries.awk *.sql
#
# Each file holds one statement; the ";" is not needed, "-- " comments go away.
# Comments before it say what it takes and gives:
#
#     -- Repeatable: why it may run twice, see pgbox_db_exec_repeatable().
#     -- Parameters:
#     --   account_id bigint
#     --   size bigint, 0 for null: text up to the end of the line is for readers,
#     --         and so are lines that are indented further
#     --   sent bigint or null
#     --   mail: rows
#     --     guid text
#     -- Columns: those of mail-save.
#
# :account_id in the statement is the parameter, and f(:parameters) calls a function
# with all of them, by name: p_account_id => $1, ...
#
# In C they are members of struct pgbox_mail_save_params and struct
# pgbox_mail_save_columns. "or null" gives a number has_sent beside it, what C knows
# as a pointer may be NULL. Parallel arrays are rows: struct pgbox_mail_save_mail.
#     --   mail: rows of mail-save [without guid, flags]
#     --   mail: one row of mail-save
# are those fields again. "those of NAME" means the same struct, "those of NAME, and"
# followed by more lines that it is the first member.

# ---- reading ----

function fail(text) {
    print (name == "" ? "" : FILENAME ":" FNR ": ") text > "/dev/stderr"
    failed = 1
    exit 1
}

# The part of a line before its comment. Within a string "--" is text. The ":" of a
# parameter becomes \001.
function code_of(line,    i, c, out) {
    out = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "'")
            in_string = !in_string
        if (!in_string && substr(line, i, 2) == "--")
            break
        if (!in_string && substr(line, i) ~ /^:[a-z]/ && substr(line, i - 1, 1) != ":")
            c = "\001"
        out = out c
    }
    if (!in_string)
        sub(/[ \t]+$/, "", out)
    return out
}

function c_name(name) {
    gsub(/-/, "_", name)
    return name
}

# One that is in all fields: entry[q, section, i]
function add_entry(field, type, null, group,    i) {
    i = ++entries[name, section]
    entry_field[name, section, i] = field
    entry_type[name, section, i] = type
    entry_null[name, section, i] = null
    entry_group[name, section, i] = group
}

function read_section(text) {
    section = text ~ /^Parameters/ ? "params" : "columns"
    entries[name, section] = 0
    group = ""
    sub(/^[^:]*:[ ]*/, "", text)
    sub(/\.$/, "", text)
    if (text == "")
        return
    if (text !~ /^those of [a-z-]+(, and:)?$/)
        fail("unknown: " text)
    sub(/^those of /, "", text)
    extended[name, section] = sub(/, and:$/, "", text)
    base[name, section] = text
}

# "rows", "rows of NAME without FIELD, ...", "one row of NAME"
function read_group(field, text,    without) {
    group = field
    group_one[name, group] = sub(/^one row/, "rows", text)
    if (match(text, / without .*$/)) {
        without = substr(text, RSTART + 9)
        gsub(/ /, "", without)
        text = substr(text, 1, RSTART - 1)
    }
    if (text ~ /^rows of [a-z-]+$/) {
        group_base[name, group] = substr(text, 9)
        group_without[name, group] = "," without ","
        add_entry("", "", "", group)
        group = ""
    } else if (text != "rows")
        fail("unknown: " text)
}

function read_typed(text,    field, type, null) {
    if (text ~ /^         /)
        return
    if (text !~ /^     /)
        group = ""
    sub(/^ +/, "", text)
    if (match(text, /^[a-z][a-z0-9_]*: /)) {
        read_group(substr(text, 1, RLENGTH - 2), substr(text, RLENGTH + 1))
        return
    }
    sub(/:.*$/, "", text)
    null = ""
    if (sub(/ or null$/, "", text))
        null = "has"
    else if (sub(/, 0 for null$/, "", text))
        null = "zero"
    if (split(text, word, " ") != 2 || !(word[2] in TYPES))
        fail("neither a field nor rows: " text)
    if (TYPES[word[2]] !~ /^INT.$/) {
        if (null == "zero")
            fail("0 is for numbers")
        # a pointer
        null = ""
    }
    if (section == "params" && word[2] == "smallint[]")
        fail("only bigint[] and text[] are sent as arrays")
    add_entry(word[1], word[2], null, group)
}

function read_comment(text) {
    if (text ~ /^ (Parameters|Columns):/)
        read_section(substr(text, 2))
    else if (text ~ /^ Repeatable: /) {
        repeatable[name] = 1
        section = ""
    } else if (text !~ /^  /)
        section = ""
    else if (section != "")
        read_typed(text)
}

# ---- what the lines mean ----

function need(query) {
    if (!(query in number))
        fail(name ": no such query: " query)
}

function add_field(q, section, e, group, row,    i) {
    i = ++fields[q, section]
    field_name[q, section, i] = entry_field[e]
    field_type[q, section, i] = entry_type[e]
    field_null[q, section, i] = entry_null[e]
    field_group[q, section, i] = group
    # the struct of the row
    field_row[q, section, i] = row
    if (place[q, section, entry_field[e]] != "")
        fail(q ": " entry_field[e] " is there twice")
    place[q, section, entry_field[e]] = i
}

# The rows of another query
function add_group(q, group,    b, i, e) {
    b = group_base[q, group]
    need(b)
    for (i = 1; i <= entries[b, "params"]; i++) {
        e = b SUBSEP "params" SUBSEP i
        if (entry_group[e] == group &&
            index(group_without[q, group], "," entry_field[e] ",") == 0)
            add_field(q, "params", e, group, c_name(b) "_" group)
    }
}

function resolve(q, section,    b, i, e, group) {
    b = base[q, section]
    if (b != "") {
        need(b)
        if (base[b, section] != "")
            fail(q ": " b " has its fields from another one")
        for (i = 1; i <= entries[b, section]; i++) {
            e = b SUBSEP section SUBSEP i
            add_field(q, section, e, entry_group[e], c_name(b) "_" entry_group[e])
        }
    }
    for (i = 1; i <= entries[q, section]; i++) {
        e = q SUBSEP section SUBSEP i
        group = entry_group[e]
        if (entry_field[e] == "")
            add_group(q, group)
        else
            add_field(q, section, e, group, c_name(q) "_" group)
    }
}

# The statement with $n
function statement(q,    left, out, word, i) {
    left = text_of[q]
    out = ""
    while (match(left, /\001[a-z][a-z0-9_]*/)) {
        word = substr(left, RSTART + 1, RLENGTH - 1)
        out = out substr(left, 1, RSTART - 1)
        left = substr(left, RSTART + RLENGTH)
        if (word == "parameters") {
            for (i = 1; i <= fields[q, "params"]; i++) {
                out = out (i > 1 ? ", " : "") "p_" field_name[q, "params", i] " => $" i
                used[q, i] = 1
            }
            continue
        }
        i = place[q, "params", word]
        if (i == "")
            fail(q ": no parameter is named " word)
        out = out "$" i
        used[q, i] = 1
    }
    for (i = 1; i <= fields[q, "params"]; i++)
        if (!used[q, i])
            fail(q ": does not use " field_name[q, "params", i])
    return out left
}

# ---- writing ----

function struct_of(q, section,    b) {
    b = base[q, section]
    if (b != "" && !extended[q, section])
        q = b
    return "struct pgbox_" c_name(q) "_" section
}

function member(type, field, null) {
    return "\t" C_TYPES[TYPES[type]] field ";\n" \
        (null == "has" ? "\tbool has_" field ";\n" : "")
}

function write_rows(q,    i, e, group, last) {
    last = ""
    for (i = 1; i <= entries[q, "params"]; i++) {
        e = q SUBSEP "params" SUBSEP i
        group = entry_group[e]
        if (group != last && last != "")
            print "};"
        if (group != last && entry_field[e] != "" && group != "")
            print "struct pgbox_" c_name(q) "_" group " {"
        last = entry_field[e] == "" ? "" : group
        if (last != "")
            printf "%s", member(entry_type[e], entry_field[e], entry_null[e])
    }
    if (last != "")
        print "};"
}

function group_members(q, group,    owner) {
    owner = group_base[q, group] == "" ? q : group_base[q, group]
    owner = "struct pgbox_" c_name(owner) "_" group " "
    if (group_one[q, group])
        return "\t" owner group ";\n"
    return "\tconst " owner "*" group "s;\n\tunsigned int " group "_count;\n"
}

function write_struct(q, section,    i, e, group, last) {
    print struct_of(q, section) " {"
    if (base[q, section] != "")
        print "\t" struct_of(base[q, section], section) " " c_name(base[q, section]) ";"
    last = ""
    for (i = 1; i <= entries[q, section]; i++) {
        e = q SUBSEP section SUBSEP i
        group = entry_group[e]
        if (group == "")
            printf "%s", member(entry_type[e], entry_field[e], entry_null[e])
        else if (group != last)
            printf "%s", group_members(q, group)
        last = group
    }
    print "};"
}

function write_structs(wanted,    i, s, q) {
    for (i = 1; i <= count; i++) {
        q = names[i]
        for (s in SECTIONS)
            if (fields[q, s] > 0 && (base[q, s] == "" ? "own" : extended[q, s] ? "more" : "") == wanted)
                write_struct(q, s)
    }
}

function write_functions(q,    ident, params, columns) {
    ident = c_name(q)
    params = "const " struct_of(q, "params") " *values"
    columns = struct_of(q, "columns")
    print "\nextern const struct pgbox_query pgbox_query_" ident ";"
    print "static inline void\npgbox_bind_" ident "(struct pgbox_db_params *params, " params ")\n{"
    print "\tpgbox_query_bind(params, &pgbox_query_" ident ", values);\n}"
    print "static inline int\npgbox_exec_" ident "(struct pgbox_db *db, " params ","
    print "\tstruct pgbox_db_result **result_r, struct pgbox_db_failure *failure_r)\n{"
    print "\treturn pgbox_query_exec(db, &pgbox_query_" ident ", values, result_r, failure_r);\n}"
    print "static inline struct pgbox_db_started *\npgbox_start_" ident "(struct pgbox_db *db, " params ","
    print "\tstruct pgbox_db_failure *failure_r)\n{"
    print "\treturn pgbox_query_start(db, &pgbox_query_" ident ", values, failure_r);\n}"
    if (fields[q, "columns"] == 0)
        return
    print "static inline void\npgbox_read_" ident "(const struct pgbox_db_result *result, unsigned int row,"
    print "\t" columns " *columns_r)\n{"
    print "\tpgbox_query_read(result, &pgbox_query_" ident ", row, columns_r);\n}"
}

function write_list(    i) {
    print "#ifndef PGBOX_QUERY_LIST_H\n#define PGBOX_QUERY_LIST_H\n"
    for (i = 1; i <= count; i++)
        write_rows(names[i])
    write_structs("own")
    write_structs("more")
    for (i = 1; i <= count; i++)
        write_functions(names[i])
    print "\nextern const struct pgbox_query *const pgbox_queries[];"
    print "extern const unsigned int pgbox_queries_count;"
    print "\n#endif"
}

function field_initializer(q, section, i,    struct, group, path, field, text) {
    struct = struct_of(q, section)
    field = field_name[q, section, i]
    group = field_group[q, section, i]
    path = i <= fields[base[q, section], section] && extended[q, section] ? c_name(base[q, section]) "." : ""
    if (group != "" && group_one[q, group])
        path = group "."
    else if (group != "")
        struct = "struct pgbox_" field_row[q, section, i]
    text = ".name = \"" field "\", .type = PGBOX_QUERY_" TYPES[field_type[q, section, i]] \
        ",\n\t  .offset = offsetof(" struct ", " path field ")"
    if (field_null[q, section, i] == "has")
        text = text ",\n\t  .has_offset = offsetof(" struct ", " path "has_" field ")"
    if (field_null[q, section, i] == "zero")
        text = text ",\n\t  .zero_is_null = TRUE"
    if (struct != struct_of(q, section))
        text = text ",\n\t  .row_size = sizeof(" struct ")" \
            ",\n\t  .rows_offset = offsetof(" struct_of(q, section) ", " group "s)" \
            ",\n\t  .row_count_offset = offsetof(" struct_of(q, section) ", " group "_count)"
    return "\t{ " text " },"
}

function write_fields(q, section,    i) {
    if (fields[q, section] == 0)
        return
    print "static const struct pgbox_query_field " c_name(q) "_" section "[] = {"
    for (i = 1; i <= fields[q, section]; i++)
        print field_initializer(q, section, i)
    print "};"
}

function write_data(    i, q, sql) {
    for (i = 1; i <= count; i++) {
        q = names[i]
        sql = statement(q)
        gsub(/\\/, "\\\\", sql)
        gsub(/"/, "\\\"", sql)
        gsub(/\n/, "\\n\"\n\t\t\"", sql)
        write_fields(q, "params")
        write_fields(q, "columns")
        print "const struct pgbox_query pgbox_query_" c_name(q) " = {"
        print "\t.name = \"" q "\",\n\t.number = " i ","
        print "\t.repeatable = " (repeatable[q] ? "TRUE" : "FALSE") ","
        print "\t.sql =\n\t\t\"" sql "\","
        print "\t.params = " c_name(q) "_params,\n\t.param_count = " fields[q, "params"] ","
        if (fields[q, "columns"] > 0)
            print "\t.columns = " c_name(q) "_columns,\n\t.column_count = " fields[q, "columns"] ","
        print "};\n"
    }
    print "const struct pgbox_query *const pgbox_queries[] = {"
    for (i = 1; i <= count; i++)
        print "\t&pgbox_query_" c_name(names[i]) ","
    print "\tNULL\n};"
    print "const unsigned int pgbox_queries_count = " count + 0 ";"
}

function write_prepare(q,    i, types) {
    types = ""
    for (i = 1; i <= fields[q, "params"]; i++)
        types = types (i > 1 ? ", " : "") field_type[q, "params", i] (field_row_is_array(q, i) ? "[]" : "")
    print "prepare \"" q "\" (" types ") as\n" statement(q) ";"
}

function field_row_is_array(q, i,    group) {
    group = field_group[q, "params", i]
    return group != "" && !group_one[q, group]
}

function write_columns(q,    i) {
    for (i = 1; i <= fields[q, "columns"]; i++)
        print field_name[q, "columns", i] "|" field_type[q, "columns", i]
}

# ---- the files ----

function finish() {
    if (name == "")
        return
    if (in_string)
        fail("a string is not closed")
    if (text == "")
        fail("no statement")
    if (entries[name, "params"] + 0 == 0 && base[name, "params"] == "")
        fail("no parameters")
    text_of[name] = substr(text, 2)
    names[++count] = name
    number[name] = count
}

BEGIN {
    TYPES["boolean"] = "BOOL"
    TYPES["smallint"] = "INT2"
    TYPES["integer"] = "INT4"
    TYPES["bigint"] = "INT8"
    TYPES["pg_lsn"] = "LSN"
    TYPES["text"] = "TEXT"
    TYPES["bytea"] = "BYTEA"
    TYPES["uuid"] = "UUID"
    TYPES["smallint[]"] = TYPES["bigint[]"] = "INTS"
    TYPES["text[]"] = "TEXTS"
    C_TYPES["BOOL"] = "bool "
    C_TYPES["INT2"] = C_TYPES["INT4"] = C_TYPES["INT8"] = C_TYPES["LSN"] = "int64_t "
    C_TYPES["TEXT"] = "const char *"
    C_TYPES["BYTEA"] = "struct pgbox_query_bytes "
    C_TYPES["UUID"] = "const unsigned char *"
    C_TYPES["INTS"] = "struct pgbox_query_ints "
    C_TYPES["TEXTS"] = "const char *const *"
    SECTIONS["params"] = SECTIONS["columns"] = 1
    name = ""
}

FNR == 1 {
    finish()
    name = FILENAME
    sub(/^.*\//, "", name)
    sub(/\.sql$/, "", name)
    if (name !~ /^[a-z][a-z0-9-]*$/)
        fail("a query file is named [a-z0-9-].sql")
    text = section = ""
    ended = in_string = 0
}

text == "" && /^--/ {
    read_comment(substr($0, 3))
    next
}

{
    line = code_of($0)
    if (line == "")
        next
    if (ended)
        fail("more than one statement")
    if (line ~ /\$[0-9]/)
        fail("a parameter has no number here but a name")
    if (!in_string && sub(/;$/, "", line))
        ended = 1
    else if (index(line, ";") > 0 && line !~ /'[^']*;[^']*'/)
        fail("more than one statement")
    text = text "\n" line
}

END {
    if (failed)
        exit 1
    finish()
    name = ""
    for (i = 1; i <= count; i++)
        for (s in SECTIONS)
            resolve(names[i], s)
    if (mode == "prepare" || mode == "columns")
        need(only)
    else
        print "/* Generated by sql/queries.awk from sql/queries: do not edit, run make. */\n"
    if (mode == "list")
        write_list()
    else if (mode == "data")
        write_data()
    else if (mode == "prepare")
        write_prepare(only)
    else
        write_columns(only)
}
