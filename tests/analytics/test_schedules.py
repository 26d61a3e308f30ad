"""What runs by itself: shipped with the database, and every schedule has work to do."""

import pytest
from django_celery_beat.models import PeriodicTask

from config.celery import app

SCHEDULES = {
    "members.relay_timeline": "every 10 seconds",
    "campaigns.deliver_due_messages": "every 15 seconds",
    "rewards.expire_due_lots": "5 0",
    "rewards.release_pending_lots": "0 *",
    "rewards.expire_due_vouchers": "20 0",
    "loyalty.review_due_tiers": "30 0",
    "loyalty.keep_plans": "every 300 seconds",
    "loyalty.open_badges": "every 300 seconds",
    "loyalty.refresh_floors": "every 60 seconds",
    "loyalty.give_due_benefits": "every 3600 seconds",
    "loyalty.expire_due_entitlements": "every 300 seconds",
    "loyalty.warn_of_reviews": "0 9",
    "loyalty.forget_review_details": "35 4",
    "loyalty.publish_rules": "every 60 seconds",
    "members.ensure_timeline_partitions": "0 3",
    "members.forget_old_answers": "10 3",
    "rewards.warn_of_expiry": "0 9",
    "rewards.extend_unreached": "40 *",
    "rewards.follow_expiry_policies": "10 1",
    "rewards.verify_ledger": "0 4",
    "rewards.forget_batch_errors": "35 3",
    "rewards.forget_payers": "5 4",
    "rewards.forget_addresses": "25 4",
    "rewards.award_birthdays": "45 0",
    "rewards.work_out_open_months": "30 3",
    "rewards.anchor_ledger": "50 0",
    "rewards.seal_ledger": "every 60 seconds",
    "rewards.forget_day_counters": "25 3",
    "rewards.rebalance_budgets": "every 60 seconds",
    "rewards.release_due_holds": "every 60 seconds",
    "rewards.work_off_batches": "every 300 seconds",
    "members.forget_job_files": "20 3",
    "members.expire_proposals": "every 300 seconds",
    "members.resume_jobs": "every 20 seconds",
    "members.release_freezes": "every 300 seconds",
    "members.close_due_memberships": "every 600 seconds",
    "members.erase_due_persons": "every 3600 seconds",
    "members.follow_time": "every 60 seconds",
    "members.compare_segments": "every 60 seconds",
    "members.find_duplicates": "40 2",
    "members.begin_comparing_segments": "30 1",
    "members.run_risk_rules": "0 3",
    "members.forget_sign_in_tries": "45 3",
    "members.forget_behaviours": "50 3",
    "members.forget_sign_ins": "15 *",
    "members.forget_imports_and_exports": "55 3",
    "rewards.settle_erased": "20 4",
    "members.send_due_webhooks": "every 10 seconds",
    "members.forget_webhook_deliveries": "15 4",
    "members.forget_shown_codes": "25 *",
    "rewards.return_due_gifts": "every 300 seconds",
}


@pytest.mark.django_db
class TestSchedules:
    def test_run_when_they_should(self) -> None:
        found = {}
        for schedule in PeriodicTask.objects.exclude(task__startswith="celery.").select_related("interval", "crontab"):
            assert schedule.enabled
            if schedule.interval:
                found[schedule.task] = f"every {schedule.interval.every} {schedule.interval.period}"
                assert schedule.expire_seconds
            else:
                assert str(schedule.crontab.timezone) == "Asia/Shanghai"
                found[schedule.task] = f"{schedule.crontab.minute} {schedule.crontab.hour}"
        assert found == SCHEDULES

    def test_name_tasks_that_workers_know(self) -> None:
        app.autodiscover_tasks(force=True)
        assert set(SCHEDULES) <= set(app.tasks)

    def test_can_be_told_apart_by_staff(self) -> None:
        names = list(PeriodicTask.objects.exclude(task__startswith="celery.").values_list("name", flat=True))
        assert all(" · " in name for name in names)
