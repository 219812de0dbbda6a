-- mail_save_one(): whatever it is asked, it does and answers as mail_save()
begin;
set local search_path = tap, public;
select plan(8);

-- Two mailboxes that are and stay the same
select tap.new_mailbox(b) from unnest('{a,b}'::text[]) b;
select tap.save(b, 2) from unnest('{a,b}'::text[]) b;
update pgbox.mailbox set uid_validity = 1 where account_id = tap.account();

create function pg_temp.upload(p_uploaded boolean)
returns bigint
language sql
as $$
    select case when p_uploaded then tap.upload(null, 0, 'octets') end
$$;

create temporary table ask (
    number int generated always as identity,
    flags smallint not null default 0,
    uid bigint not null default 0,
    min_modseq bigint not null default 0,
    keywords text[],
    parts int not null default 1,
    uploaded boolean not null default false,
    sent_at bigint,
    sent_zone smallint,
    subject text,
    envelope bytea,
    pop3_uidl text,
    pop3_order bigint,
    name text,
    text_wanted int not null default 2
);

-- What the answer is, and the error if there is one; of mailboxes called "a".
create function pg_temp.general(ask, p_message_id bigint)
returns text
language plpgsql
as $$
declare
    q alias for $1;
begin
    return (select s::text from pgbox.mail_save(
        tap.account(), tap.mailbox('a'), array['guid' || q.number], array[p_message_id],
        array[case when p_message_id is null then 'octets' end]::bytea[], '{6}', '{2}', array[sha256('octets')],
        '{1000000000}', '{1000000001}', array[q.sent_at], array[q.sent_zone],
        array[q.subject], array['from'], array['to'], array['cc'], array['id'], array['mime'::bytea], array[q.envelope],
        array['structure'::bytea], array[q.flags], array[q.uid], array[q.pop3_uidl], array[q.pop3_order], q.min_modseq,
        array(select 1 from unnest(q.keywords)), coalesce(q.keywords, '{}'),
        array_fill(1, array[q.parts]), array(select n::text from generate_series(1, q.parts) n),
        array_fill('text/plain'::text, array[q.parts]), array_fill('us-ascii'::text, array[q.parts]),
        array_fill('7bit'::text, array[q.parts]), array_fill('inline'::text, array[q.parts]),
        array_fill('name'::text, array[q.parts]), array_fill(1::bigint, array[q.parts]),
        array_fill(2::bigint, array[q.parts]), array_fill(3::bigint, array[q.parts]), array_fill(4, array[q.parts]),
        replace(q.name, 'x', 'a'), q.text_wanted, 7, array['subject'::bytea], array['from'::bytea], array['to'::bytea],
        array['cc'::bytea], array['display from'::bytea], array['display to'::bytea]
    ) s);
exception when others then
    return sqlstate;
end
$$;

create function pg_temp.short(ask, p_message_id bigint)
returns text
language plpgsql
as $$
declare
    q alias for $1;
begin
    return (select s::text from pgbox.mail_save_one(
        tap.account(), tap.mailbox('b'), 'guid' || q.number, p_message_id,
        case when p_message_id is null then 'octets'::bytea end, 6, 2, sha256('octets'),
        1000000000, 1000000001, q.sent_at, q.sent_zone,
        q.subject, 'from', 'to', 'cc', 'id', 'mime', q.envelope,
        'structure', q.flags, q.uid, q.pop3_uidl, q.pop3_order, q.min_modseq,
        q.keywords,
        array(select n::text from generate_series(1, q.parts) n),
        array_fill('text/plain'::text, array[q.parts]), array_fill('us-ascii'::text, array[q.parts]),
        array_fill('7bit'::text, array[q.parts]), array_fill('inline'::text, array[q.parts]),
        array_fill('name'::text, array[q.parts]), array_fill(1::bigint, array[q.parts]),
        array_fill(2::bigint, array[q.parts]), array_fill(3::bigint, array[q.parts]), array_fill(4, array[q.parts]),
        replace(q.name, 'x', 'b'), q.text_wanted, 7, 'subject', 'from', 'to', 'cc', 'display from', 'display to'
    ) s);
exception when others then
    return sqlstate;
end
$$;

create temporary table answer (number int, general text, short text);
create function pg_temp.answer()
returns void
language sql
as $$
    insert into answer
    select a.number, pg_temp.general(a, pg_temp.upload(a.uploaded)), pg_temp.short(a, pg_temp.upload(a.uploaded))
    from ask a
    order by a.number
$$;

-- All that is stored, without the numbers of mailboxes and messages.
create function pg_temp.state(p_mailbox text)
returns setof text
language sql
as $$
    select (to_jsonb(r) - '{mailbox_id,message_id,name,guid}'::text[])::text
    from pgbox.mailbox r
    where r.mailbox_id = tap.mailbox(p_mailbox)
    union all
    select (to_jsonb(r) - '{mailbox_id}'::text[])::text
    from pgbox.mailbox_keyword r
    where r.mailbox_id = tap.mailbox(p_mailbox)
    union all
    select (to_jsonb(r) - '{mailbox_id,message_id}'::text[])::text || v.value
    from pgbox.mail r
    cross join lateral (
        select (to_jsonb(s) - 'message_id')::text from pgbox.message s where s.message_id = r.message_id and r.uid > 2
        union all
        select (to_jsonb(s) - 'message_id')::text from pgbox.message_chunk s where s.message_id = r.message_id
        union all
        select (to_jsonb(s) - 'message_id')::text from pgbox.message_part s where s.message_id = r.message_id
        union all
        select (to_jsonb(s) - 'message_id')::text from pgbox.message_text_queue s where s.message_id = r.message_id
    ) v (value)
    where r.mailbox_id = tap.mailbox(p_mailbox)
$$;

insert into ask (flags) values (0), (8), (31);
insert into ask (uid) values (100), (50), (101);
insert into ask (min_modseq) values (1), (65536 * 1000), (65536 * 2000 + 1);
insert into ask (keywords) values ('{one}'), ('{Two,ONE}');
insert into ask (parts) values (0), (3);
insert into ask (uploaded) values (true);
insert into ask (sent_at, sent_zone, subject, envelope, pop3_uidl, pop3_order, text_wanted)
values (1000000002, -90, 'subject', 'envelope', 'uidl', 5, 1);
insert into ask (name) values ('x'), ('y');
select pg_temp.answer();

select is(count(*) filter (where general like '(1,%'), 16::bigint, 'all mails are saved') from answer;
select is((array_agg(general order by number desc))[1], 'PB404', 'but those for a mailbox of another name') from answer;

-- A new epoch begins.
truncate ask;
insert into ask (flags, uid) values (0, 0), (0, 0), (8, 1000000000);
update pgbox.epoch set continued_from = array[epoch - 1];
update pgbox.mailbox set epoch = epoch - 1 where account_id = tap.account();
select pg_temp.answer();
select cmp_ok(max(substring(general from '{(\d+)}')::bigint), '>', 1000000::bigint, 'UIDs have jumped') from answer
where number in (select number from ask where uid = 0);

-- UIDs come to their end.
truncate ask;
insert into ask (uid) values (4294967294), (0), (1), (4294967295);
select pg_temp.answer();
select is(count(*) filter (where general = 'PB413'), 3::bigint, 'no UID is left') from answer;

select is_empty('select * from answer where general is distinct from short', 'the answers are the same');
select bag_eq($$select * from pg_temp.state('b')$$, $$select * from pg_temp.state('a')$$, 'and so is what is stored');

truncate ask;
insert into ask (flags) values (0);
select is(pg_temp.short(a, 0), 'PB404', 'an upload that is gone is refused') from ask a;
select pgbox.mailbox_delete(tap.account(), tap.mailbox('b'), 'b');
select is(pg_temp.short(a, null), 'PB404', 'and a mailbox that is gone') from ask a;

select * from finish();
rollback;
