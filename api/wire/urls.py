"""Paths of the tracking API, with the browser SDK's short ones."""

from django.urls import path

from api.wire import errors, views

TYPES = ("identify", "track", "page", "screen", "group", "alias")

urlpatterns = [
    path("batch", views.batch),
    path("b", views.batch),
    path("import", views.batch),
    path("projects/<str:write_key>/settings", views.project_settings),
    *(path(name, views.single, {"event_type": name}) for name in TYPES),
    *(path(name[0], views.single, {"event_type": name}) for name in TYPES),
    path("<path:rest>", lambda request, rest: errors.not_found(request)),
]
