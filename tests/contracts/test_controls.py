"""Which test shows which control and which duty of privacy. A test that is renamed or gone is missed here."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What is promised → the tests that show it, as file::class::test or file::test.
SHOWN_BY: dict[str, list[str]] = {
    "1 everybody reaches their own alone, at every route": [
        "tests/contracts/test_every_route.py::TestTheEntries::test_are_those_of_all_operations",
        "tests/contracts/test_every_route.py::TestTheEntries::test_say_for_whom_as_the_description_does",
        "tests/contracts/test_every_route.py::TestTheEntries::test_say_of_each_parameter_of_an_address_whose_it_is",
        "tests/contracts/test_every_route.py::TestThisWalk::test_notices_what_an_answer_tells_of_her",
        "tests/contracts/test_every_route.py::TestThisWalk::test_notices_what_a_call_changes",
        "tests/contracts/test_every_route.py::TestVisitors::test_are_told_to_sign_in_and_nothing_else",
        "tests/contracts/test_every_route.py::TestVisitors::test_who_are_staff_in_the_portal_are_visitors_here",
        "tests/contracts/test_every_route.py::TestVisitors::test_with_a_secret_that_is_none_are_told_no_more",
        "tests/contracts/test_every_route.py::TestVisitors::test_read_nothing_of_anybody_where_everybody_may",
        "tests/contracts/test_every_route.py::TestMembers::test_may_nothing_that_is_of_tills",
        "tests/contracts/test_every_route.py::TestMembers::test_are_not_told_that_there_is_what_belongs_to_another",
        "tests/contracts/test_every_route.py::TestMembers::test_read_nothing_of_another_in_what_is_their_own",
        "tests/contracts/test_every_route.py::TestMembers::test_who_are_frozen_may_nothing",
        "tests/contracts/test_every_route.py::TestKeys::test_may_nothing_that_is_of_members",
        "tests/contracts/test_every_route.py::TestKeys::test_of_other_stores_and_systems_reach_nothing_of_this_one",
        "tests/contracts/test_every_route.py::TestKeys::test_may_not_say_that_they_are_in_another_store",
        "tests/contracts/test_every_route.py::TestKeys::test_do_nothing_for_a_member_who_is_frozen",
    ],
    "2 fields that are read and written are listed, and no other is": [
        "tests/contracts/test_every_route.py::TestWhoMay::test_is_served_with_what_is_described_and_not_a_field_more",
        "tests/contracts/test_every_route.py::TestWhoMay::test_can_write_no_field_that_is_not_theirs_to_write",
        "tests/contracts/test_every_route.py::TestWhoMay::test_writes_nothing_with_a_body_that_is_not_asked_for",
        "tests/rewards/test_api_unknown_fields.py::TestAnUnknownField::test_of_a_line_is_refused_at_its_place",
        "tests/rewards/test_api_catalogue.py::TestOrders::test_writes_no_field_of_the_servers",
    ],
    "3 default deny: every view names who may call it": [
        "tests/config/test_rest.py::TestEveryAddress::test_names_who_may_call_it",
        "tests/config/test_rest.py::TestEveryAddress::test_a_view_that_names_nobody_answers_nobody",
        "tests/contracts/test_urls.py::TestEveryAddress::test_refuses_visitors_by_every_method",
        "tests/contracts/test_urls.py::TestEveryAddress::test_of_the_portal_refuses_staff_without_a_role",
        "tests/contracts/test_urls.py::TestEveryAddress::test_of_the_api_does_not_take_a_staff_session",
        "tests/contracts/test_admin.py::TestLists::test_and_forms_are_refused_to_visitors_and_to_staff_without_a_role",
    ],
    "3 a key does what its scopes name and nothing else, at every route": [
        "tests/contracts/test_every_route.py::TestTheEntries::test_name_a_scope_that_there_is",
        "tests/contracts/test_every_route.py::TestKeys::test_may_nothing_without_the_very_scope",
    ],
    "4 who makes a change does not approve it": [
        "tests/members/test_proposals.py::TestApproving::test_is_not_for_the_maker",
        "tests/members/test_proposals.py::TestTheDatabase::test_refuses_a_row_that_was_approved_by_its_maker",
        "tests/members/test_proposals.py::TestTheDatabase::test_itself_refuses_that_the_second_pair_of_eyes_is_missing",
        "tests/members/test_exports.py::TestALargeOrUnmaskedList::test_unmasked_waits_however_short_it_is_and_is_decided_by_somebody_else",
        "tests/members/test_imports.py::TestAnImport::test_always_waits_for_a_second_person",
        "tests/members/test_tag_batches.py::TestATagForAList::test_waits_for_a_colleague_and_is_put_on_in_chunks",
    ],
    "4 a second approver above a line": [
        "tests/members/test_proposals.py::TestApproving::test_by_two_carries_it_out_with_the_second",
        "tests/members/test_imports.py::TestAnImport::test_with_large_balances_waits_for_two",
        "tests/members/test_proposal_races.py::TestOneProposal::test_that_needs_two_gets_two_different_people",
    ],
    "4 a key proposes and never approves": [
        "tests/rewards/test_key_adjustments.py::TestBeyondIt::test_staff_decide",
        "tests/rewards/test_key_adjustments.py::TestBeyondIt::test_a_key_without_a_ceiling_moves_nothing_alone",
        "tests/rewards/test_key_adjustments.py::TestBeyondIt::test_no_key_approves",
        "tests/rewards/test_key_adjustments.py::TestTheAccountOfKeys::test_can_not_sign_in_and_is_not_among_the_staff",
    ],
    "4 an approval of what has changed since is void": [
        "tests/members/test_proposals.py::TestTheEffect::test_that_changed_is_not_approved_unseen",
        "tests/members/test_proposals.py::TestTheDatabase::test_keeps_what_was_proposed_as_it_was",
        "tests/members/test_approvals.py::TestApprovingTogether::test_leaves_what_would_change_something_else_now",
        "tests/members/test_imports.py::TestACheck::test_can_be_repeated_with_another_mapping_until_it_is_proposed",
    ],
    "4 nobody changes or approves what concerns their own account": [
        "tests/members/test_proposals.py::TestProposing::test_for_the_own_account_is_refused",
        "tests/members/test_proposals.py::TestApproving::test_of_what_concerns_the_own_account_is_refused",
        "tests/members/test_merging.py::TestMerge::test_is_refused_to_staff_whose_own_account_it_is",
        "tests/rewards/test_risk.py::TestReviews::test_of_the_own_account_are_decided_by_a_colleague",
    ],
    "8 limits are counted in the database, exactly, under who calls and where from": [
        "tests/members/test_rates.py::TestManyAtOnce::test_pass_exactly_as_many_as_the_limit_says",
        "tests/members/test_rates.py::TestTheApi::test_tells_the_limit_and_refuses_what_is_more",
        "tests/members/test_rates.py::TestTheApi::test_is_not_taken_in_by_a_forged_address",
        "tests/members/test_rates.py::TestTheApi::test_believes_its_own_proxy_alone",
    ],
    "10 WeChat: codes are good once, the session key stays here, tokens are ours": [
        "tests/members/test_member_sign_in.py::TestWeChat::test_refuses_used_and_foreign_codes",
        "tests/members/test_member_sign_in.py::TestWeChat::test_keeps_its_session_key_and_our_secret_to_the_server",
        "tests/members/test_member_sign_in.py::TestWeChat::test_can_not_be_another_server_outside_of_the_demo",
        "tests/members/test_member_sign_in.py::TestARefreshToken::test_dies_with_a_freeze_a_leave_and_a_logout",
    ],
    "11 a phone number comes from WeChat itself, for this app, fresh, and never from the client": [
        "tests/members/test_member_sign_in.py::TestWeChat::test_that_speaks_for_another_app_or_of_long_ago_is_not_believed",
        "tests/members/test_member_sign_in.py::TestWeChat::test_refuses_used_and_foreign_codes",
        "tests/members/test_member_sign_in.py::TestWeChat::test_says_what_wechat_refuses",
    ],
    "12 one-time codes: long enough, once, bound, limited, and the same for everybody": [
        "tests/members/test_member_sign_in.py::TestACodeToThePhone::test_is_kept_as_a_hash_and_has_more_than_twenty_bits",
        "tests/members/test_member_sign_in.py::TestACodeToThePhone::test_is_over_after_five_wrong_tries_even_for_the_right_one",
        "tests/members/test_member_sign_in.py::TestACodeToThePhone::test_is_good_for_its_own_request_phone_and_time_only",
        "tests/members/test_member_sign_in.py::TestACodeToThePhone::test_is_sent_once_a_minute_and_five_times_a_day",
        "tests/members/test_member_sign_in.py::TestACodeToThePhone::test_answers_the_same_for_known_and_unknown_and_as_fast",
        "tests/rewards/test_api_transfers.py::TestAGift::test_takes_no_code_that_was_sent_for_another",
        "tests/rewards/test_api_transfers.py::TestAGift::test_takes_nobody_elses_code",
        "tests/rewards/test_api_transfers.py::TestANo::test_takes_the_same_steps_for_a_phone_that_is_nobodys",
    ],
    "13 after a change of the phone points stay in, and both numbers are told": [
        "tests/members/test_phone_change.py::TestAMember::test_changes_the_number_with_codes_to_both",
        "tests/members/test_phone_change.py::TestAMember::test_then_keeps_points_in_for_a_day",
        "tests/members/test_phone_change.py::TestStaff::test_change_the_number_with_a_code_and_a_proof",
        "tests/rewards/test_redemptions.py::TestRedemption::test_waits_while_the_phone_number_is_new",
        "tests/rewards/test_transfers.py::TestATransfer::test_waits_after_a_new_phone_number",
        "tests/rewards/test_donations.py::TestADonation::test_waits_after_a_new_phone_number",
    ],
    "15 guessing locks, and shows on the risk page within a minute": [
        "tests/members/test_rates.py::TestGuessing::test_locks_for_a_time_and_the_next_time_for_longer",
        "tests/members/test_rates.py::TestGuessing::test_by_many_together_raises_the_alarm_within_the_minute",
        "tests/members/test_rates.py::TestGuessing::test_opens_a_review_of_the_member_under_whose_name_it_is",
        "tests/members/test_phone_change.py::TestStaff::test_see_guessing_above_the_risk_reviews_and_note_what_it_was",
    ],
    "31 what others answer is read like what strangers send": [
        "tests/members/test_member_sign_in.py::TestWeChat::test_that_answers_nonsense_is_said_to_be_away",
        "tests/members/test_member_sign_in.py::TestWeChat::test_that_trickles_or_is_gone_is_not_waited_for",
        "tests/members/test_member_sign_in.py::TestACodeToThePhone::test_says_so_when_the_provider_answers_what_its_code_can_not_read",
    ],
    "9 keys: one store or named ones, ceilings, two live while they rotate": [
        "tests/members/test_devices.py::TestRotating::test_lets_both_live_for_a_week_and_the_old_one_end_by_itself",
        "tests/members/test_devices.py::TestBounds::test_of_a_day_name_the_limit_and_begin_anew_at_midnight",
        "tests/members/test_devices.py::TestBounds::test_of_networks_are_asked_at_each_call",
        "tests/members/test_devices.py::TestOverHttp::test_a_key_for_more_stores_says_in_which_it_acts",
        "tests/members/test_devices.py::TestOverHttp::test_a_ceiling_refuses_the_whole_order",
    ],
    "9 signed calls are accepted once, within 300 seconds, unchanged": [
        "tests/members/test_devices.py::TestASignedCall::test_is_accepted_once",
        "tests/members/test_devices.py::TestASignedCall::test_covers_body_address_moment_and_nonce",
        "tests/members/test_devices.py::TestASignedCall::test_may_be_signed_with_the_secret_before_until_the_overlap_ends",
    ],
    "9 a till is let in by a code that is good once": [
        "tests/members/test_devices.py::TestActivating::test_trades_a_code_for_a_key_once",
        "tests/members/test_devices.py::TestActivating::test_keeps_the_code_nowhere",
        "tests/members/test_devices.py::TestActivating::test_locks_who_guesses_and_shows_it_on_the_risk_page",
        "tests/members/test_devices.py::TestActivatingAtOnce::test_gives_one_key_to_sixteen_who_have_the_code",
    ],
    "12 a member's code is good for half a minute, once for spending, and guessing locks": [
        "tests/members/test_member_codes.py::TestReading::test_is_as_near_as_the_half_minute_beside",
        "tests/members/test_member_codes.py::TestAtOnce::test_sixteen_tills_use_one_code_up_once",
        "tests/members/test_member_codes.py::TestReading::test_says_the_same_of_all_that_is_wrong",
        "tests/members/test_member_codes.py::TestGuessing::test_locks_the_member_and_shows_on_the_risk_page",
        "tests/members/test_member_codes.py::TestThePhone::test_leaves_nothing_of_its_seed_behind",
        "tests/rewards/test_api_resolving.py::TestWithoutACode::test_a_one_time_code_lets_spend_at_the_till_that_sent_it",
    ],
    "14 a second step, and guessing locks": [
        "tests/config/test_sign_in.py::TestSignInPages::test_ask_for_digits_before_anybody_is_in",
        "tests/config/test_sign_in.py::TestPolicy::test_makes_leading_roles_set_it_up_before_they_get_in",
        "tests/config/test_sign_in.py::TestLockOut::test_refuses_the_right_password_too_and_ends",
    ],
    "14 sessions end with the next click when somebody is disabled, and by themselves": [
        "tests/config/test_sign_in.py::TestSessions::test_end_with_the_next_click_when_an_operator_is_disabled",
        "tests/config/test_sign_in.py::TestSessions::test_stay_ended_when_the_operator_is_enabled_again",
        "tests/config/test_sign_in.py::TestSessions::test_last_a_working_day",
    ],
    "14 the networks from which staff may work": [
        "tests/config/test_networks.py::TestNetworksOfStaff::test_keep_out_everybody_else",
        "tests/config/test_networks.py::TestNetworksOfStaff::test_hold_for_the_sign_in_page_and_for_who_is_signed_in",
    ],
    "18 what is told to us is signed, counted once in any order, and bounded": [
        "tests/loyalty/test_plan_api.py::TestAConfirmation::test_must_be_signed_over_this_very_body_just_now",
        "tests/loyalty/test_plan_api.py::TestAConfirmation::test_lets_the_plan_begin_and_is_answered_alike_again",
        "tests/loyalty/test_plan_api.py::TestAConfirmation::test_that_comes_again_behind_a_later_one_changes_nothing",
        "tests/loyalty/test_plan_api.py::TestAConfirmation::test_of_too_large_a_body_is_refused",
    ],
    "19 nothing is sent into our own networks, by whatever name, redirect or second look-up": [
        "tests/members/test_webhook_urls.py::TestAnAddress::test_of_our_own_networks_is_refused",
        "tests/members/test_webhook_urls.py::TestAnAddress::test_by_a_name_that_leads_inside_is_refused_and_nothing_kept",
        "tests/members/test_webhook_urls.py::TestAnAddress::test_of_a_host_that_is_not_listed_is_refused",
        "tests/members/test_webhook_urls.py::TestSending::test_asks_again_where_the_name_leads",
        "tests/members/test_webhook_urls.py::TestSending::test_connects_to_the_very_address_that_was_looked_at",
        "tests/members/test_webhooks.py::TestAFailure::test_by_redirect_is_not_followed",
        "tests/members/test_webhooks.py::TestAFailure::test_by_an_answer_that_trickles_in_ends_in_time",
    ],
    "5 no step is left out: what is not set aside is not spent, what is over is not confirmed": [
        "tests/rewards/test_till_orders.py::TestAHold::test_waits_until_the_member_has_shown_this_till_that_they_may_spend",
        "tests/rewards/test_till_orders.py::TestAHold::test_past_its_end_counts_for_nothing_at_once_and_is_given_back_by_the_beat",
        "tests/rewards/test_till_races.py::TestTillsAtTheSameMoment::test_hold_pay_and_void_once",
    ],
    "5 a step that is left out, or made twice, is refused and moves nothing": [
        "tests/rewards/test_steps_in_order.py::TestAnOrder::test_that_needs_something_set_aside_is_not_confirmed_without",
        "tests/rewards/test_steps_in_order.py::TestAnOrder::test_is_not_confirmed_with_what_was_given_back",
        "tests/rewards/test_steps_in_order.py::TestAnOrder::test_does_not_pay_with_what_paid_another",
        "tests/rewards/test_steps_in_order.py::TestAnOrder::test_is_not_confirmed_with_the_hold_of_another_quote",
        "tests/rewards/test_steps_in_order.py::TestAnOrder::test_that_came_back_is_not_undone_and_the_other_way_round",
        "tests/rewards/test_steps_in_order.py::TestAReward::test_is_handed_over_when_it_is_ready_and_not_after_it_was_cancelled",
        "tests/rewards/test_steps_in_order.py::TestAReward::test_that_was_handed_over_is_not_cancelled",
        "tests/rewards/test_steps_in_order.py::TestAVoucher::test_that_was_not_used_is_not_given_back_and_a_used_one_not_given_away",
        "tests/rewards/test_steps_in_order.py::TestAVoucher::test_that_was_taken_back_from_a_friend_is_not_accepted_and_not_used_while_it_is_offered",
        "tests/rewards/test_holds.py::TestHold::test_is_spent_once",
    ],
    "6 limits hold under sixteen threads: earning, rewards, transfers, partner points, vouchers, keys, tries": [
        "tests/rewards/test_cap_races.py::TestCap::test_of_one_member_holds_whatever_he_buys_at_once",
        "tests/rewards/test_limits_at_once.py::TestSixteenAtOnce::test_never_get_more_of_a_reward_than_a_member_may_have",
        "tests/rewards/test_limits_at_once.py::TestSixteenAtOnce::test_never_give_more_points_to_friends_than_a_day_allows",
        "tests/rewards/test_limits_at_once.py::TestSixteenAtOnce::test_never_move_more_points_with_a_key_than_its_day_allows",
        "tests/rewards/test_transfers.py::TestTransfersAtOnce::test_never_pass_the_limits_under_16_threads",
        "tests/rewards/test_api_transfers.py::TestManyAtOnce::test_give_no_more_than_there_is_and_a_repeat_gives_nothing",
        "tests/rewards/test_conversions.py::TestAtOnce::test_the_limit_of_the_day_holds",
        "tests/rewards/test_voucher_offers.py::TestRaces::test_never_pass_the_total_nor_the_limit_of_a_member",
        "tests/members/test_rates.py::TestGuessing::test_at_once_is_counted_in_full",
    ],
    "7 what is limited is taken by one": [
        "tests/rewards/test_races.py::TestRedemptions::test_of_the_last_five_pieces_have_five_winners_and_losers_keep_their_points",
        "tests/rewards/test_races.py::TestVoucher::test_used_by_two_tills_at_once_is_used_by_one",
        "tests/rewards/test_fulfilment.py::TestAtOnce::test_of_eight_codes_and_pieces_have_eight_winners_each",
        "tests/rewards/test_till_races.py::TestTillsAtTheSameMoment::test_hold_pay_and_void_once",
    ],
    "15 codes can not be guessed, and who tries is locked": [
        "tests/rewards/test_vouchers.py::TestCode::test_carries_eighty_bits",
        "tests/rewards/test_vouchers.py::TestCode::test_takes_each_character_as_often_at_each_place",
        "tests/rewards/test_vouchers.py::TestCode::test_stands_nowhere_in_the_database",
        "tests/rewards/test_vouchers.py::TestCode::test_is_not_its_look_up_key",
        "tests/rewards/test_code_guessing.py::TestATill::test_that_guesses_at_vouchers_is_locked_by_itself_and_uses_none",
        "tests/rewards/test_code_guessing.py::TestAMember::test_has_ten_tries_an_hour_at_codes_of_offers",
        "tests/rewards/test_code_guessing.py::TestAMember::test_has_ten_tries_an_hour_at_gifts",
        "tests/rewards/test_code_guessing.py::TestTheCounter::test_is_locked_for_who_guesses_there",
    ],
    "30 the API is what its description says, whatever is sent to it": [
        "tests/contracts/test_any_request.py::TestEveryOperation::test_answers_as_it_is_described",
        "tests/config/test_openapi.py::TestTheDescription::test_has_every_route_and_no_other",
        "tests/config/test_promises.py::TestThePromises::test_are_kept_and_complete",
    ],
    "20 whatever leaves as a table runs nothing": [
        "tests/contracts/test_files_out.py::TestWhateverLeaves::test_is_written_by_a_module_that_is_known",
        "tests/contracts/test_files_out.py::TestWhateverLeaves::test_runs_nothing",
        "tests/members/test_exports.py::TestASmallMaskedList::test_escapes_what_a_spreadsheet_would_run",
        "tests/members/test_erasure.py::TestACopy::test_computes_nothing_in_a_spreadsheet",
        "tests/rewards/test_close_files.py::TestTheWorkbook::test_runs_no_formula_that_a_name_smuggles_in",
        "tests/rewards/test_import_files.py::TestWriteRejected::test_writes_rows_that_spreadsheets_do_not_run",
    ],
    "20 files that come in are bounded: size, columns, bombs, another kind than their name says": [
        "tests/members/test_imports.py::TestAFile::test_of_a_kind_that_is_not_read_leaves_nothing",
        "tests/members/test_imports.py::TestAFile::test_that_is_too_large_or_too_wide_leaves_nothing",
        "tests/rewards/test_import_files.py::TestReadRowsOfWorkbooks::test_refuses_a_workbook_that_unpacks_to_more_than_it_says",
        "tests/rewards/test_import_files.py::TestReadRowsOfWorkbooks::test_refuses_what_is_no_workbook",
        "tests/rewards/test_import_files.py::TestReadRowsOfWorkbooks::test_refuses_a_sheet_with_a_cell_at_its_far_end",
    ],
    "22 texts are filled in and never run, and are text on every page": [
        "tests/campaigns/test_placeholders.py::TestUnknownPlaceholders::test_names_whatever_is_more_than_a_known_name",
        "tests/contracts/test_hostile_text.py::TestTextsOfMessages::test_are_filled_in_and_never_run",
        "tests/contracts/test_hostile_text.py::TestTextsOfMessages::test_that_ask_for_more_than_a_known_name_are_not_saved_and_not_sent",
        "tests/contracts/test_hostile_text.py::TestHostileText::test_is_shown_as_text_on_every_page",
        "tests/contracts/test_hostile_text.py::TestHostileText::test_typed_into_a_search_is_shown_as_text",
        "tests/campaigns/test_messages.py::TestWords::test_keep_a_name_from_writing_headers",
    ],
    "26 logs name nobody": [
        "tests/config/test_log_scan.py::TestABusyHour::test_leaves_nobody_in_the_logs",
        "tests/config/test_log_scan.py::TestABusyHour::test_of_a_mail_server_that_refuses_leaves_no_address",
        "tests/config/test_logs.py::TestALogLine::test_hides_people_and_nothing_else",
        "tests/config/test_logs.py::TestALogLine::test_is_written_so_by_every_process",
    ],
    "26 whoever looks at personal data is written down, with a reason": [
        "tests/members/test_admin_members.py::TestPersonalData::test_is_shown_on_request_and_the_look_is_written_down",
        "tests/members/test_erasure.py::TestALook::test_is_written_down_with_its_reason_and_what_was_seen",
        "tests/members/test_exports.py::TestTheJob::test_lets_its_file_be_taken_for_24_hours_and_writes_down_by_whom",
    ],
    "28 what is sent and what is asked for is bounded: bodies, lists, pages": [
        "tests/contracts/test_conventions.py::TestSizes::test_of_bodies_are_bounded",
        "tests/contracts/test_conventions.py::TestSizes::test_of_lists_that_are_sent_are_bounded",
        "tests/contracts/test_conventions.py::TestSizes::test_of_pages_are_a_hundred_at_most",
        "tests/contracts/test_conventions.py::TestSizes::test_of_whatever_goes_on_is_a_page",
        "tests/config/test_rest.py::TestProblems::test_name_bodies_that_are_no_json",
        "tests/rewards/test_order_batches.py::TestABody::test_has_a_thousand_lines_at_most_and_a_megabyte",
    ],
    "29 no answer about a person is kept by a cache": [
        "tests/contracts/test_conventions.py::TestEveryAnswer::test_of_whatever_outcome_has_the_headers_of_the_house",
        "tests/config/test_rest.py::TestPersonalAnswers::test_are_kept_by_no_cache",
    ],
    "29 nothing that names a person stands in an address": [
        "tests/contracts/test_conventions.py::TestAddresses::test_hold_nothing_secret_and_nothing_personal",
        "tests/members/test_finding.py::TestTheBox::test_keeps_what_is_typed_out_of_addresses_and_logs",
        "tests/members/test_admin_members.py::TestTheSearchBox::test_leads_from_a_phone_or_an_e_mail_address_to_the_members_number",
        "tests/members/test_admin_members.py::TestTheSearchBox::test_is_posted_wherever_there_is_one",
    ],
    "privacy: consent per purpose and channel, in versions of words, taken back as easily as given": [
        "tests/members/test_consents.py::TestAYes::test_is_needed_for_offers_in_each_channel_by_itself",
        "tests/members/test_consents.py::TestAYes::test_is_kept_with_the_words_that_were_seen",
        "tests/members/test_consents.py::TestANo::test_holds_at_once",
        "tests/members/test_api_consents.py::TestConsents::test_hold_as_soon_as_they_are_said_and_are_taken_back_as_easily",
    ],
    "privacy: consent is asked again when a message leaves": [
        "tests/campaigns/test_consent_of_messages.py::TestAMessage::test_stays_when_consent_was_taken_back_after_it_was_planned",
        "tests/campaigns/test_consent_of_messages.py::TestAMessage::test_stays_when_all_contact_was_stopped",
        "tests/campaigns/test_consent_of_messages.py::TestAMessage::test_of_marketing_needs_a_yes_that_still_holds_when_it_leaves",
    ],
    "privacy: a copy of one's data for machines and people, by a link of 24 hours, and correction": [
        "tests/members/test_api_consents.py::TestTheCopyOfMyData::test_is_made_by_a_job_and_fetched_by_its_link",
        "tests/members/test_erasure.py::TestACopy::test_holds_everything_for_machines_and_for_people",
        "tests/members/test_erasure.py::TestACopy::test_is_made_once_while_its_link_lives",
        "tests/members/test_job_api.py::TestAJob::test_gives_its_result_by_a_link_until_its_files_end",
        "tests/members/test_api_profile.py::TestMyProfile::test_changes_what_is_named_and_gives_a_new_etag",
    ],
    "privacy: after an erasure nothing names the person, and the ledger still proves": [
        "tests/members/test_erasure.py::TestAnErasure::test_leaves_no_trace_of_the_person_anywhere_and_a_ledger_that_proves",
        "tests/members/test_erasure.py::TestAnErasure::test_is_cared_for_by_some_part_for_every_model_with_personal_data",
        "tests/members/test_erasure.py::TestAnErasure::test_waits_for_work_that_may_be_writing_the_person_into_a_file",
        "tests/members/test_erasure.py::TestAnErasure::test_knows_of_every_kind_of_work_whether_it_writes_persons",
        "tests/members/test_erasure.py::TestWordsOfStaff::test_that_name_the_person_are_not_kept",
    ],
    "privacy: sensitive details need an agreement of their own; children a guardian": [
        "tests/members/test_profiles.py::TestDetails::test_that_are_sensitive_need_the_members_agreement",
        "tests/members/test_consents.py::TestAYes::test_of_a_child_needs_a_guardian",
        "tests/members/test_consents.py::TestAYes::test_of_somebody_who_turns_out_to_be_a_child_does_not_count",
    ],
    "privacy: whoever switches off chosen offers is not chosen, and no worse off": [
        "tests/journeys/test_not_personalised.py::TestWhoSwitchedItOff::test_gets_the_same_points_the_same_promotion_and_the_same_tier_as_everybody",
        "tests/journeys/test_not_personalised.py::TestWhoSwitchedItOff::test_is_not_reached_by_what_is_sent_to_those_who_were_chosen",
        "tests/members/test_api_segments.py::TestSegmentsForOtherSystems::test_leave_out_who_does_not_want_offers_to_be_chosen",
        "tests/members/test_consents.py::TestTheAnswersToAWholeAudience::test_of_those_chosen_by_what_they_did_leave_out_who_does_not_want_that",
    ],
    "privacy: masked in the portal; personal data leaves with a second person only": [
        "tests/members/test_admin_members.py::TestTheMemberList::test_masks_names_and_phones_for_everybody",
        "tests/members/test_admin_members.py::TestPersonalData::test_stays_hidden_from_roles_that_need_it_not",
        "tests/members/test_exports.py::TestALargeOrUnmaskedList::test_unmasked_waits_however_short_it_is_and_is_decided_by_somebody_else",
    ],
    "privacy: data goes to no host that is not named": [
        "tests/config/test_production.py::TestProductionSettings::test_refuse_to_start_when_data_would_leave_the_region",
        "tests/contracts/test_outbound.py::TestTheProject::test_speaks_with_nobody_but_the_hosts_of_its_settings",
    ],
    "two at one member get a conflict page": [
        "tests/members/test_admin_profiles.py::TestTwoAtOneForm::test_the_second_gets_both_values_beside_each_other_and_loses_nothing",
    ],
    "an export shows its progress and can be stopped": [
        "tests/members/test_admin_transfers.py::TestExportingMembers::test_shows_its_progress_and_can_be_stopped_in_the_middle",
        "tests/members/test_exports.py::TestTheJob::test_goes_on_where_it_was_stopped_and_loses_and_doubles_nobody",
        "tests/proofs/test_export_large.py::test_a_hundred_thousand_rows_are_watched_stopped_and_finished",
    ],
    "an import of anything ends in an error file and never in a crash": [
        "tests/members/test_imports.py::TestACheck::test_ends_with_error_rows_for_whatever_stands_in_a_file",
        "tests/members/test_imports.py::TestACheck::test_tells_of_a_value_that_can_not_be_used",
        "tests/members/test_imports.py::TestACheck::test_reads_text_of_other_encodings",
        "tests/members/test_imports.py::TestACheck::test_reads_merged_cells_by_their_first_place_and_leaves_the_others_empty",
        "tests/members/test_imports.py::TestACheck::test_takes_a_formula_for_what_it_says_and_never_runs_it",
        "tests/rewards/test_import_files.py::TestReadRowsOfText::test_never_fails_on_any_bytes_but_with_an_order_file_error",
        "tests/members/test_admin_work.py::TestThePageOfAJob::test_gives_refused_rows_as_a_sheet_with_reasons_and_writes_that_down",
    ],
    "kill -9 of a worker loses and doubles nothing": [
        "tests/proofs/test_job_kill.py::TestKilledWorkers::test_leave_a_job_that_others_finish_exactly_once",
        "tests/proofs/test_job_kill.py::TestKilledImportsAndExports::test_bring_everybody_in_and_take_everybody_out_exactly_once",
    ],
}


def names_in(path: Path) -> set[str]:
    """Return the tests of a file as class::test or test."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


class TestEveryPromise:
    @pytest.mark.parametrize("promise", SHOWN_BY)
    def test_is_shown_by_tests_that_exist(self, promise: str) -> None:
        assert SHOWN_BY[promise]
        for node in SHOWN_BY[promise]:
            file, _separator, name = node.partition("::")
            assert (ROOT / file).is_file(), node
            assert name in names_in(ROOT / file), node
