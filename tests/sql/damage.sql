-- Kinds of damage, each in an account of its own: what "pgbox-schema verify" has to find
-- and "--repair" to mend. For tool/repair.sh, after pgtap-setup.sql; variable: chunk, the size
-- of a chunk.
-- The accounts are all alike: INBOX has mails 1 to 5, of which 3 is the one that is damaged, 2 and 4
-- have neighbours' eyes on them, 6 and 7 are expunged, and "copy" has 4, too.

create table tap.damage (
    place int generated always as identity,
    name text not null,
    statement text not null,
    neighbours text
);

create function tap.le(p_number bigint)
returns bytea
language sql
as $$
    select string_agg(substring(int8send(p_number) from i for 1), ''::bytea order by i desc)
    from generate_series(1, 8) i
$$;

-- What Dovecot writes of a message without MIME parts.
create function tap.mime_parts(p_header_size bigint, p_size bigint)
returns bytea
language sql
as $$
    select '\x04000000' || tap.le(p_header_size) || tap.le(p_header_size)
        || tap.le(p_size - p_header_size) || tap.le(p_size - p_header_size) || '\x03000000'
$$;

-- A message of a frame, one of a frame and a short chunk, one that is not compressed.
create function tap.new_account(p_name text)
returns void
language plpgsql
as $$
declare
    v_account_id bigint := tap.account(p_name);
    -- "Subject: frame", 2020 octets
    v_frame constant bytea :=
        '\x28b52ffd64e406050100c85375626a6563743a206672616d650d0a0d0a6d61696c200d0a010091c75f9a88968ee1';
    v_plain constant bytea := E'Subject: plain\r\n\r\nmail\r\n';
    v_id bigint;
    v_box bigint;
begin
    v_box := tap.mailbox('INBOX', p_name);
    perform tap.save_many('INBOX', 7, 9, 'work', 0, null, p_name, v_plain, null, null);
    perform tap.save_one('INBOX', 0, 'home', 0, md5(p_name), p_name, v_plain, 'uidl', 8);
    update pgbox.message
    set header_size = 18,
        mime_parts = tap.mime_parts(18, size),
        envelope = 'NIL',
        bodystructure = 'NIL'
    where account_id = v_account_id;
    delete from pgbox.message_part
    where account_id = v_account_id;
    insert into pgbox.message_part (account_id, message_id, section, media_type, header_offset, header_size, body_size, body_lines)
    select v_account_id, g.message_id, '1', 'text/plain', 0, 18, g.size - 18, 1
    from pgbox.message g
    where g.account_id = v_account_id;
    -- UID 3 in two chunks, UID 4 in one
    for v_id in
        select m.message_id
        from pgbox.mail m
        where m.mailbox_id = v_box
            and m.uid in (3, 4)
    loop
        update pgbox.message_chunk
        set size = 2020,
            data = v_frame
        where account_id = v_account_id
            and message_id = v_id;
        update pgbox.message
        set size = 2020,
            header_size = 18,
            sha256 = sha256(v_frame),
            mime_parts = tap.mime_parts(18, 2020)
        where account_id = v_account_id
            and message_id = v_id;
        update pgbox.message_part
        set body_size = 2002
        where account_id = v_account_id
            and message_id = v_id;
    end loop;
    update pgbox.mailbox
    set bytes = bytes + 2 * (2020 - 24)
    where mailbox_id = v_box;
    perform tap.big(v_account_id, v_box, 2);
    perform pgbox.mail_change(v_account_id, v_box, null, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{6,7}', 0::smallint, null, 1);
    perform pgbox.mail_flags_change(v_account_id, v_box, 4611686018427387904, 1, 2::smallint, 0::smallint, 2);
    perform tap.new_mailbox('copy', p_name);
    perform pgbox.mail_copy(
        v_account_id, tap.mailbox('copy', p_name), array[v_account_id], array[v_box], '{4}', '{f}', '{0}', '{0}',
        '{1000000000}', '{0}', '{null}', '{null}', 0, '{}', '{}', '{}', 3
    );
    perform pgbox.subscription_set(v_account_id, p_name, 'INBOX', true);
    perform pgbox.attribute_set(v_account_id, v_box, array[p_name], array['k'], array['v'::bytea], array[null::bigint]);
end
$$;

-- Gives a mail a message of two chunks.
create function tap.big(p_account_id bigint, p_mailbox_id bigint, p_uid bigint)
returns void
language plpgsql
as $$
declare
    v_id bigint := (
        select m.message_id
        from pgbox.mail m
        where m.mailbox_id = p_mailbox_id
            and m.uid = p_uid
    );
    v_data bytea := convert_to(E'Subject: big\r\n\r\n' || repeat('0123456789', 26216), 'UTF8');
begin
    delete from pgbox.message_chunk
    where account_id = p_account_id
        and message_id = v_id;
    insert into pgbox.message_chunk (account_id, message_id, n, size, data)
    select p_account_id, v_id, n, octet_length(d.data), d.data
    from generate_series(0, 1) n
    cross join lateral (select substring(v_data from n * 262144 + 1 for 262144) as data) d;
    update pgbox.mailbox
    set bytes = bytes + octet_length(v_data) - 24
    where mailbox_id = p_mailbox_id;
    update pgbox.message
    set size = octet_length(v_data),
        header_size = 16,
        sha256 = sha256(v_data),
        mime_parts = tap.mime_parts(16, octet_length(v_data))
    where account_id = p_account_id
        and message_id = v_id;
    update pgbox.message_part
    set header_size = 16,
        body_size = octet_length(v_data) - 16
    where account_id = p_account_id
        and message_id = v_id;
end
$$;

-- One value of a row: TABLE.COLUMN = VALUE for the rows with CONDITION, in which <a> is the
-- account, <b> its INBOX, <m> the message of mail 3 and <big> that of mail 2.
create function tap.values(p_column text, p_condition text, variadic p_value text[])
returns void
language sql
as $$
    insert into tap.damage (name, statement)
    select
        format('%s = %s', p_column, v.value),
        format('update pgbox.%s set %s = %s where account_id = <a> and %s',
            split_part(p_column, '.', 1), split_part(p_column, '.', 2), v.value, p_condition)
    from unnest(p_value) v (value)
$$;

select tap.values('mail.flags', 'mailbox_id = <b> and uid = 3', '32', '40', '256', '-1', '-32768', '32767');
select tap.values('mail.keyword_ids', 'mailbox_id = <b> and uid = 3', '''{0}''', '''{null}''', '''{-1}''', '''{3}''',
    '''{1,1}''', '''{}''', '''{{1,2},{2,1}}''', '''[0:1]={1,2}''', '''{1,null}''', '''{32767}''');
select tap.values('mail.modseq', 'mailbox_id = <b> and uid = 3', '0', '-1', '9223372036854775807',
    '-9223372036854775808', '4611686018427387904', '100 * 65536', '2000000000000000000');
select tap.values('mail.saved_at', 'mailbox_id = <b> and uid = 3', '''infinity''', '''-infinity''', '''20000-01-01''',
    '''4000-01-01 BC''');
select tap.values('mail.pop3_order', 'mailbox_id = <b> and uid = 3', '-1', '99999999999', '4294967296',
    '-9223372036854775808');
select tap.values('mail.pop3_uidl', 'mailbox_id = <b> and uid = 3', '''''', 'E''a\nb''', 'E''a\x7f''');
select tap.values('mail.uid', 'mailbox_id = <b> and uid = 3', '0', '-1', '4294967295', '4294967296', '4294967294', '2147483648',
    '9223372036854775807', '-9223372036854775808', '6', '1000');
select tap.values('mail.message_id', 'mailbox_id = <b> and uid = 3', '0', '-1', '999999999999');

select tap.values('message.guid', 'message_id = <m>', '''''', 'E''a\nb''');
select tap.values('message.sha256', 'message_id = <m>', '''''', 'substring(sha256 from 2)', 'sha256 || ''\x00''', 'sha256(sha256)');
select tap.values('message.size', 'message_id = <m>', '-1', '0', '1', 'size - 1', 'size + 1', '262145', '2147483648',
    '9223372036854775807', '-9223372036854775808');
select tap.values('message.header_size', 'message_id = <m>', '-1', '0', '17', 'size + 1', '9223372036854775807');
select tap.values('message.received_at', 'message_id = <m>', '''infinity''', '''-infinity''', '''20000-01-01''',
    '''4000-01-01 BC''');
select tap.values('message.sent_at', 'message_id = <m>', '''infinity''', '''-infinity''', '''20000-01-01''', '''4000-01-01 BC''');
select tap.values('message.sent_zone_minutes', 'message_id = <m>', '32767', '-32768');
select tap.values('message.mime_parts', 'message_id = <m>', 'substring(mime_parts for 20)', '''\x00''',
    'tap.mime_parts(19, 2020)', 'tap.mime_parts(18, 20)', '''\xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff''');
select tap.values('message.envelope', 'message_id = <m>', '''''', '''\x00''', 'envelope || ''\x00''');
select tap.values('message.bodystructure', 'message_id = <m>', '''''', 'bodystructure || ''\x0028''');
insert into tap.damage (name, statement)
values ('message: deleted', 'delete from pgbox.message where account_id = <a> and message_id = <m>'),
    ('message.header_size and mime_parts', $$update pgbox.message set header_size = -1, mime_parts = '\x01' where account_id = <a> and message_id = <m>$$),
    ('message.header_size, mime_parts, part', $$update pgbox.message set header_size = -1, mime_parts = '\x01' where account_id = <a> and message_id = <m>;
        delete from pgbox.message_part where account_id = <a> and message_id = <m>$$);

select tap.values('message_chunk.size', 'message_id = <m>', '0', '-1', '10', '2019', '2021', '262145', '2147483647');
select tap.values('message_chunk.n', 'message_id = <m>', '-1', '1', '2147483647');
select tap.values('message_chunk.message_id', 'message_id = <m>', '999999999999');
select tap.values('message_chunk.data', 'message_id = <m>', '''''', '''x''', 'substring(data from 2)', 'substring(data for 20)',
    'substring(data for octet_length(data) - 1)', 'data || ''\x00''', 'set_byte(data, 30, get_byte(data, 30) # 1)',
    'set_byte(data, 5, get_byte(data, 5) # 1)', 'set_byte(data, 4, get_byte(data, 4) # 4)', 'set_byte(data, 0, 0)',
    'substring(data from 10) || substring(data for 9)', 'decode(repeat(''00'', 2020), ''hex'')', 'decode(repeat(''00'', 2021), ''hex'')');
select tap.values('message_chunk.size', 'message_id = <big> and n = 0', '0', '262143', '65536');
select tap.values('message_chunk.size', 'message_id = <big> and n = 1', '0', '31', '262144');
select tap.values('message_chunk.data', 'message_id = <big> and n = 0', 'substring(data from 2)', 'substring(data for 100)');
select tap.values('message_chunk.n', 'message_id = <big> and n = 1', '2', '-1');
insert into tap.damage (name, statement)
values ('message_chunk: deleted', 'delete from pgbox.message_chunk where account_id = <a> and message_id = <m>'),
    ('message_chunk: first deleted', 'delete from pgbox.message_chunk where account_id = <a> and message_id = <big> and n = 0'),
    ('message_chunk: last deleted', 'delete from pgbox.message_chunk where account_id = <a> and message_id = <big> and n = 1'),
    ('message_chunk: one more', $$insert into pgbox.message_chunk values (<a>, <m>, 1, 5, 'octet')$$),
    ('message_chunk: swapped', $$update pgbox.message_chunk k
        set data = (select o.data from pgbox.message_chunk o where o.account_id = <a> and o.message_id = <big> and o.n = 1 - k.n)
        where account_id = <a> and message_id = <big>$$),
    ('message_chunk: another message''s', $$update pgbox.message_chunk set data = E'Subject: other\r\n\r\nmail\r\n', size = 24
        where account_id = <a> and message_id = <m>$$),
    ('message_chunk: of nothing', $$insert into pgbox.message_chunk values (<a>, 888888888888, 0, 1, 'x')$$);

select tap.values('message_part.header_offset', 'message_id = <m>', '-1', '2147483647');
select tap.values('message_part.header_size', 'message_id = <m>', '-1', '9223372036854775807');
select tap.values('message_part.body_size', 'message_id = <m>', '-1', 'body_size + 1');
select tap.values('message_part.body_lines', 'message_id = <m>', '-1');
insert into tap.damage (name, statement)
values ('message_part: of nothing', $$insert into pgbox.message_part values (<a>, 888888888888, '1', 'text/plain', null, null, null, null, 0, 0, 0, 0)$$);
select tap.values('message_text_queue.wanted', 'message_id = <m>', '-1', '3', '32767');
select tap.values('message_text_queue.attempts', 'message_id = <m>', '-1', '4', '32767');
select tap.values('message_text_queue.leased_until', 'message_id = <m>', '''infinity''', '''-infinity''');
select tap.values('message_text_queue.message_id', 'message_id = <m>', '777777777777');
insert into tap.damage (name, statement)
values ('message_text_queue: deleted', 'delete from pgbox.message_text_queue where account_id = <a> and message_id = <m>'),
    ('message_text: of nothing', $$insert into pgbox.message_text values (<a>, 777777777777, 0, '', '', '', '', '', '', '', '')$$),
    ('message_upload.started_at = infinity', $$insert into pgbox.message_upload values (<a>, 666666666666, 'infinity')$$);

select tap.values('expunged.modseq', 'mailbox_id = <b>', '0', '-1', '9223372036854775807', '-9223372036854775808',
    '100 * 65536');
select tap.values('expunged.uid_block', 'mailbox_id = <b>', '-1', '1', '9223372036854775807');
select tap.values('expunged.expunged_at', 'mailbox_id = <b>', '''infinity''', '''-infinity''');
select tap.values('expunged.uids', 'mailbox_id = <b>', '''{}''', '''{null,null}''', '''{6,null}''', '''{6}''', '''{6,7,8}''', '''{0,7}''',
    '''{-1,7}''', '''{6,4294967296}''', '''{6,4294967295}''', '''{6,1000}''', '''{{6,7}}''', '''[0:1]={6,7}''', '''{6,3}''',
    '''{9223372036854775807,-9223372036854775808}''');
select tap.values('expunged.message_ids', 'mailbox_id = <b>', '''{}''', 'array[null, message_ids[2]]', 'message_ids[1:1]',
    'message_ids || 1::bigint', 'array[message_ids]', 'array[null::bigint, null::bigint]');
select tap.values('expunged.guids', 'mailbox_id = <b>', '''{}''', 'array[null, guids[2]]', 'guids[1:1]', 'guids || ''x''::text',
    'array[guids]', 'array['''', guids[2]]', 'array[null::text, null::text]');
select tap.values('mail_change.modseq', 'mailbox_id = <b> and operation = 2', '0', '-1', '9223372036854775807',
    '-9223372036854775808', '100 * 65536');
select tap.values('mail_change.changed_at', 'mailbox_id = <b> and operation = 2', '''infinity''', '''-infinity''');
select tap.values('mail_change.uids', 'mailbox_id = <b> and operation = 2', '''{(,)}''', '''{[1,)}''', '''{(,3)}''', '''{[-5,3)}''',
    '''{[1,99999999999)}''', '''{[0,1)}''');

select tap.values('mailbox.uid_next', 'mailbox_id = <b>', '1', '3', '4294967295');
select tap.values('mailbox.modseq', 'mailbox_id = <b>', '1', '0', '-65536', '-9223372036854775808', '4611686018427387904', '3000000000000000000');
select tap.values('mailbox.messages', 'mailbox_id = <b>', '0', '4', '2147483647');
select tap.values('mailbox.unseen', 'mailbox_id = <b>', '0', '4', '2147483647');
select tap.values('mailbox.bytes', 'mailbox_id = <b>', '0', 'bytes - 1', '9223372036854775807');
select tap.values('mailbox.first_recent_uid', 'mailbox_id = <b>', '0', '-1', '1099511627776');
select tap.values('mailbox.modseq_floor', 'mailbox_id = <b>', '-1', '4611686018427387904', '9223372036854775807');
select tap.values('mailbox.history_floor', 'mailbox_id = <b>', '-1', '4611686018427387904', '9223372036854775807');
select tap.values('mailbox.keywords', 'mailbox_id = <b>', '-1', '0', '1', '5', '32767');
select tap.values('mailbox.pop3_values', 'mailbox_id = <b>', 'false');
select tap.values('mailbox.created_at', 'mailbox_id = <b>', '''infinity''', '''-infinity''');
select tap.values('mailbox.guid', 'mailbox_id = <b>', '''00000000-0000-0000-0000-000000000000''');
select tap.values('mailbox.deleted_at', 'name = ''copy''', '''infinity''', '''-infinity''');
insert into tap.damage (name, statement)
values ('mailbox: deleted', 'delete from pgbox.mailbox where account_id = <a> and mailbox_id = <b>'),
    ('mailbox.unseen of a deleted one',
        $$update pgbox.mailbox set unseen = 0, messages = 0, deleted_at = now() where account_id = <a> and name = 'copy'$$),
    ('mail: deleted', 'delete from pgbox.mail where account_id = <a> and mailbox_id = <b> and uid = 3');
select tap.values('mailbox_keyword.keyword_id', 'mailbox_id = <b> and keyword_id = 1', '0', '-1', '3', '200', '32767');
select tap.values('mailbox_keyword.name', 'mailbox_id = <b> and keyword_id = 1', '''''', '''a b''', '''a(b''', 'E''a\nb''', '''a"b''', 'E''a\x7fb''');
insert into tap.damage (name, statement)
values ('mailbox_keyword: one deleted', 'delete from pgbox.mailbox_keyword where account_id = <a> and mailbox_id = <b> and keyword_id = 1'),
    ('mailbox_keyword: all deleted', 'delete from pgbox.mailbox_keyword where account_id = <a> and mailbox_id = <b>'),
    ('mailbox_keyword: of nothing', $$insert into pgbox.mailbox_keyword values (<a>, 555555555555, 1, 'x')$$);
select tap.values('account.last_uid_validity', 'true', '0', '-1', '1099511627776');
select tap.values('account.created_at', 'true', '''infinity''');
select tap.values('mailbox_attribute.changed_at', 'mailbox_id = <b>', '''infinity''', '''-infinity''');
select tap.values('mailbox_attribute.key', 'mailbox_id = <b>', '''''');
select tap.values('subscription.name', 'true', '''''');
insert into tap.damage (name, statement)
values ('account: deleted', 'delete from pgbox.account where account_id = <a>');

-- Other mails than 3 that are damaged
update tap.damage
set neighbours = case name when 'expunged.uids = ''{6,7,8}''' then '{3,8}' when 'account: deleted' then '{1,2,3,4,5,8}' else '{2,3}' end
where statement like '%<big>%'
    or name in ('expunged.uids = ''{6,7,8}''', 'account: deleted');

-- Mails as their user sees them, but for MODSEQs.
create view tap.seen as
select
    a.name as account,
    b.mailbox_id,
    b.name as mailbox,
    b.uid_validity::bigint,
    m.uid,
    g.guid,
    g.size,
    g.header_size,
    g.received_at,
    m.saved_at,
    m.flags,
    (
        select string_agg(n.name, ' ' order by n.keyword_id)
        from pgbox.mailbox_keyword n
        where n.account_id = m.account_id
            and n.mailbox_id = m.mailbox_id
            and n.keyword_id = any (m.keyword_ids)
    ) as keywords,
    m.pop3_uidl,
    (
        select md5(string_agg(k.data, ''::bytea order by k.n))
        from pgbox.message_chunk k
        where k.account_id = m.account_id
            and k.message_id = m.message_id
    ) as octets
from pgbox.mail m
join pgbox.mailbox b using (account_id, mailbox_id)
join pgbox.account a using (account_id)
join pgbox.message g using (account_id, message_id);

-- Constraints that a version 1 did not have, and what an upgrade of a damaged database leaves.
create function tap.drop_constraints()
returns void
language sql
as $$
    alter domain pgbox.mod_sequence drop constraint mod_sequence_check;
    alter domain pgbox.mod_sequence add constraint mod_sequence_check check (value <= 4611686018427387904);
    alter table pgbox.mailbox_keyword drop constraint mailbox_keyword_check;
$$;
create function tap.add_constraints()
returns void
language sql
as $$
    alter domain pgbox.mod_sequence drop constraint mod_sequence_check;
    alter domain pgbox.mod_sequence add constraint mod_sequence_check
        check (value between 1 and 4611686018427387904) not valid;
    alter table pgbox.mailbox_keyword add constraint mailbox_keyword_check
        check (keyword_id between 1 and 32000 and name <> '') not valid;
$$;

-- What there is before the damage.
create table tap.before as
table tap.seen
with no data;
create table tap.messages (account_id bigint, message_id bigint);
create table tap.boxes (account text, mailbox_id bigint, name text, uid_validity bigint, uid_next bigint, modseq bigint);

-- Makes the accounts and damages them.
create function tap.damage_all()
returns void
language plpgsql
as $$
declare
    v_damage tap.damage;
    v_account_id bigint;
    v_box bigint;
    v_statement text;
begin
    for v_damage in
        select *
        from tap.damage
        order by place
    loop
        perform tap.new_account('kind' || v_damage.place);
    end loop;
    insert into tap.before
    select *
    from tap.seen;
    insert into tap.messages
    select account_id, message_id
    from pgbox.message;
    insert into tap.boxes
    select a.name, b.mailbox_id, b.name, b.uid_validity, b.uid_next, b.modseq
    from pgbox.mailbox b
    join pgbox.account a using (account_id);
    perform tap.drop_constraints();
    for v_damage in
        select *
        from tap.damage
        order by place
    loop
        v_account_id := tap.account('kind' || v_damage.place);
        v_box := tap.mailbox('INBOX', 'kind' || v_damage.place);
        v_statement := v_damage.statement;
        v_statement := replace(v_statement, '<big>', (select message_id from pgbox.mail where mailbox_id = v_box and uid = 2)::text);
        v_statement := replace(v_statement, '<m>', (select message_id from pgbox.mail where mailbox_id = v_box and uid = 3)::text);
        v_statement := replace(v_statement, '<a>', v_account_id::text);
        v_statement := replace(v_statement, '<b>', v_box::text);
        begin
            execute v_statement;
        exception when others then
            raise exception '%: %', v_damage.name, sqlerrm;
        end;
    end loop;
    perform tap.add_constraints();
end
$$;

-- What a repair must not do.
create function tap.broken_rules()
returns table (rule text, kind text, detail text)
language sql
as $$
    with pair as (
        select d.name as kind, d.neighbours, b.*, s as seen, box.uid_validity as box_uid_validity, box.uid_next, box.modseq as box_modseq
        from tap.before b
        join tap.damage d on b.account = 'kind' || d.place
        join tap.boxes box using (mailbox_id)
        left join tap.seen s on s.mailbox_id = b.mailbox_id and s.uid = b.uid
    )
    select 'a UID is of another mail', kind, format('%s %s', mailbox, uid)
    from pair
    where (seen).uid_validity = uid_validity
        and ((seen).guid, (seen).size, (seen).header_size, (seen).received_at, (seen).octets)
            is distinct from (guid, size, header_size, received_at, octets)
    union all
    select 'a mail that was not damaged has changed', kind, format('%s %s', mailbox, uid)
    from pair
    where uid <> all (coalesce(neighbours, '{3}')::int[])
        and (
            ((seen).guid, (seen).flags, (seen).saved_at, (seen).pop3_uidl, (seen).octets)
                is distinct from (guid, flags, saved_at, pop3_uidl, octets)
            or (seen).keywords is distinct from keywords
            and kind not like 'mailbox\_keyword%'
        )
    union all
    select 'a UID was given twice', d.name, format('%s %s', s.mailbox, s.uid)
    from tap.seen s
    join tap.damage d on s.account = 'kind' || d.place
    join tap.boxes box using (mailbox_id, uid_validity)
    where s.uid < box.uid_next
        and not exists (
            select from tap.before b
            where b.mailbox_id = s.mailbox_id
                and b.uid = s.uid
        )
    union all
    select 'a number has gone down', d.name, format('%s: UIDVALIDITY %s %s, UIDNEXT %s %s, MODSEQ %s %s', n.name,
        box.uid_validity, n.uid_validity, box.uid_next, n.uid_next, box.modseq, n.modseq)
    from tap.boxes box
    join tap.damage d on box.account = 'kind' || d.place
    join pgbox.mailbox n using (mailbox_id)
    where n.uid_validity < box.uid_validity
        or n.uid_validity = box.uid_validity and (n.uid_next < box.uid_next or n.modseq < box.modseq)
    union all
    select 'a frontend is not told', d.name, format('%s: %s', n.name, m.uid)
    from tap.seen m
    join tap.boxes box using (mailbox_id, uid_validity)
    join tap.damage d on box.account = 'kind' || d.place
    join pgbox.mailbox n using (mailbox_id)
    join tap.before b using (mailbox_id, uid)
    where (b.flags, b.keywords) is distinct from (m.flags, m.keywords)
        and n.modseq = box.modseq
    union all
    select 'a message is gone', d.name, m.message_id::text
    from tap.messages m
    left join pgbox.message g using (account_id, message_id)
    join pgbox.account a using (account_id)
    join tap.damage d on a.name = 'kind' || d.place
    where g.message_id is null
        and d.name <> 'message: deleted'
$$;
