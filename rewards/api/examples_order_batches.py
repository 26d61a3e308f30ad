"""Examples of orders and returns that a shop's server tells many at a time, for the published description."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

_JOB: Final = "job_3t8v0m6d4q9j1x7k2c5n8r0w4z"
_LINE: Final = {"sku": "BEANS-1KG", "name": "Beans", "quantity": "1", "unit_price": "128.00", "amount": "128.00"}
_ORDER: Final = {
    "external_order_no": "WEB-100231",
    "member_ref": "mem_3t8v0m6d4q9j1x7k2c5n8r0w4z",
    "ordered_at": "2026-07-05T14:10:00+08:00",
    "lines": [_LINE],
}
_RETURN: Final = {
    "external_return_no": "WEB-R-3312",
    "external_order_no": "WEB-100231",
    "returned_at": "2026-07-06T09:00:00+08:00",
    "lines": [{"line_no": 1, "quantity": "1"}],
}
_QUEUED: Final[dict[str, Any]] = {
    "id": _JOB, "title": "Orders of another system: 2, returns: 1", "state": "queued", "total": 3, "done": 0, "ok": 0, "failed": 0,
    "percent": 0, "seconds_left": None, "created_at": "2026-07-06T03:00:00Z", "finished_at": None, "problem": None, "result": None,
}  # fmt: skip

POST = [
    OpenApiExample(
        "Two orders, one of which comes back",
        value={"orders": [_ORDER, {**_ORDER, "external_order_no": "WEB-100232", "store": "S99"}], "returns": [_RETURN]},
        request_only=True,
    ),
    OpenApiExample("Taken; a job records them", value=_QUEUED, response_only=True, status_codes=["202"]),
]
GET = [
    OpenApiExample(
        "All are answered",
        value={
            "job_id": _JOB,
            "state": "done",
            "total": 3,
            "done": 3,
            "orders": [
                {
                    "position": 1,
                    "outcome": "accepted",
                    "code": "",
                    "reason": "",
                    "fields": [],
                    "external_order_no": "WEB-100231",
                    "id": "ord_1q7w3e9r5t2y8v4p6a0s1d3f5g",
                    "points_earned": 128,
                },
                {
                    "position": 2,
                    "outcome": "refused",
                    "code": "wrong_store",
                    "reason": "This key does not act for this store.",
                    "fields": [],
                    "external_order_no": "WEB-100232",
                    "id": None,
                    "points_earned": 0,
                },
            ],
            "returns": [
                {
                    "position": 1,
                    "outcome": "accepted",
                    "code": "",
                    "reason": "",
                    "fields": [],
                    "external_return_no": "WEB-R-3312",
                    "id": "ret_1q7w3e9r5t2y8v4p6a0s1d3f5g",
                    "points_taken_back": 128,
                }
            ],
        },
        response_only=True,
    )
]
