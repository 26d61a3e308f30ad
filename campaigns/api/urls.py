"""Addresses of messages under /api/v1/."""

from django.urls import path

from campaigns.api.messages import MessagesReadView, MessagesView

urlpatterns = [
    path("me/messages", MessagesView.as_view(), name="my_messages"),
    path("me/messages/read", MessagesReadView.as_view(), name="read_my_messages"),
]
