-- subscription_set(), attribute_set()
begin;
set local search_path = tap, public;
select plan(11);

select is(pgbox.subscription_set(tap.account(), 'anna', 'does/not/exist', true), true, 'a missing name can be subscribed');
select is(pgbox.subscription_set(tap.account(), 'anna', 'does/not/exist', true), false, 'twice changes nothing');
select is(pgbox.subscription_set(tap.account(), 'bert', 'does/not/exist', true), true, 'subscriptions are per user');
select is(pgbox.subscription_set(tap.account(), 'anna', 'does/not/exist', false), true, 'unsubscribed');
select is(pgbox.subscription_set(tap.account(), 'anna', 'does/not/exist', false), false, 'twice changes nothing');
select is((select string_agg(user_name, ' ') from pgbox.subscription), 'bert', 'the other user''s stays');

select lives_ok($$select pgbox.attribute_set(tap.account(), tap.mailbox('INBOX'), array[''], array['comment'], array['one'::bytea], array[null::bigint])$$, 'an entry is set');
select lives_ok($$select pgbox.attribute_set(tap.account(), tap.mailbox('INBOX'), array[''], array['comment'], array['two'::bytea], array[null::bigint])$$, 'and set again');
select is((select string_agg(convert_from(value, 'UTF8'), ' ') from pgbox.mailbox_attribute), 'two', 'to the new value');
select pgbox.attribute_set(tap.account(), tap.mailbox('INBOX'), array['', 'u'], array['comment', 'k'], array[null::bytea, 'v'::bytea], array[null::bigint, 7]);
select results_eq($$select key, extract(epoch from changed_at)::int from pgbox.mailbox_attribute$$, $$values ('k' collate "C", 7)$$,
    'and removed, while another is set that was changed before');
select throws_ok($$select pgbox.attribute_set(tap.account('bert'), tap.mailbox('INBOX'), array[''], array['comment'], array['x'::bytea], array[null::bigint])$$,
    'PB404', null, 'not in another account''s mailbox');

select * from finish();
rollback;
