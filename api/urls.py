"""All paths of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from api import ops
from api.graphql.schema import schema
from api.graphql.view import GraphQLView

urlpatterns = [
    path("", RedirectView.as_view(url="/graphql")),
    path("graphql", csrf_exempt(GraphQLView.as_view(schema=schema))),
    path("v1/", include("api.wire.urls")),
    path("admin/", admin.site.urls),
    path("healthz", ops.healthz),
    path("readyz", ops.readyz),
    path("metrics", ops.metrics),
]
