-- \Seen in mail.flags and in arrays of flags. A constant: the planner puts it in.
create or replace function pgbox.flag_seen()
returns int
language sql
immutable
parallel safe
return 8;

comment on function pgbox.flag_seen() is '\Seen in mail.flags.';
