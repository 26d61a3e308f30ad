"""A WeChat server on this machine, for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.test import override_settings

from config.wechat_fake import FakeWeChat, serve
from members import wechat

APPID, SECRET = "wx0123456789abcdef", "only-for-tests-0123456789abcdef01"


@contextmanager
def a_wechat() -> Iterator[FakeWeChat]:
    """Run a fake WeChat and have the portal ask it."""
    fake = FakeWeChat(APPID, SECRET)
    server = serve(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    wechat.forget_access_token()
    try:
        with override_settings(WECHAT_APPID=APPID, WECHAT_SECRET=SECRET, WECHAT_API_BASE=base):
            yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
