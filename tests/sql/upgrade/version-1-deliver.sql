-- Delivers a mail to a mailbox by the functions of version 1: variables account and mailbox.
select s.r_uids
from pgbox.account a
join pgbox.mailbox b using (account_id)
cross join lateral pgbox.mail_save_one(
    p_account_id => a.account_id,
    p_mailbox_id => b.mailbox_id,
    p_guid => md5(random()::text),
    p_message_id => null,
    p_data => 'mail',
    p_size => 4,
    p_header_size => 0,
    p_sha256 => sha256('mail'),
    p_received_at => 1000000000,
    p_saved_at => 1000000001,
    p_sent_at => null,
    p_sent_zone => null,
    p_subject => 'subject',
    p_from_header => null,
    p_to_header => null,
    p_cc_header => null,
    p_message_id_header => null,
    p_mime_parts => '',
    p_envelope => null,
    p_bodystructure => null,
    p_flags => 0::smallint,
    p_uid => 0,
    p_pop3_uidl => null,
    p_pop3_order => null,
    p_min_modseq => 0,
    p_keyword => array['kwA'],
    p_part_section => array['1'],
    p_part_media_type => array['text/plain'],
    p_part_charset => array[null],
    p_part_encoding => array[null],
    p_part_disposition => array[null],
    p_part_filename => array[null],
    p_part_header_offset => array[0],
    p_part_header_size => array[0],
    p_part_body_size => array[4],
    p_part_body_lines => array[1],
    p_mailbox_name => null,
    p_text_wanted => 2,
    p_sort_folding => 0,
    p_sort_subject => null,
    p_sort_from => null,
    p_sort_to => null,
    p_sort_cc => null,
    p_sort_display_from => null,
    p_sort_display_to => null
) s
where a.name = :'account'
    and b.name = :'mailbox'
    and b.deleted_at is null;
