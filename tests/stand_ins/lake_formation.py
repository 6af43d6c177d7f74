"""Lake Formation: what moto's has not, added to it.

Belongs here: data cells filters, pages of a listing, tags of each column for itself, and what AWS refuses
to do with each of them. Does not belong here: starting the server (`servers.py`).

Written after AWS's reference of the API. Requests are checked by botocore against AWS's own model of it
before they are sent; whether AWS does what this does was tried on no account.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.lakeformation import urls
from moto.lakeformation.models import LakeFormationBackend, Permission, PermissionCatalog
from moto.lakeformation.responses import LakeFormationResponse

PAGE = 5  # little, so that every listing of a few has several

_filters: dict[tuple[str, ...], dict[str, Any]] = {}


class _Refused(JsonRESTError):
    code = 400

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)


def complete_lake_formation() -> None:
    """Add it to moto's classes, once a process."""
    for name, answer in (
        ("create_data_cells_filter", _create),
        ("update_data_cells_filter", _update),
        ("delete_data_cells_filter", _delete),
        ("list_data_cells_filter", _list),
        ("list_permissions", _paged(LakeFormationResponse.list_permissions)),
    ):
        setattr(LakeFormationResponse, name, answer)
    for path in ("CreateDataCellsFilter", "UpdateDataCellsFilter", "DeleteDataCellsFilter"):
        urls.url_paths[f"{{0}}/{path}$"] = urls.response.dispatch
    add = LakeFormationBackend.add_lf_tags_to_resource

    def add_lf_tags_to_resource(
        self: Any, catalog_id: str, resource: dict[str, Any], tags: list[dict[str, str]]
    ) -> list[dict[str, Any]]:
        failures = add(self, catalog_id, resource, tags)
        for columns in self.lf_columns_tags:  # moto gives all columns of a call one list
            self.lf_columns_tags[columns] = copy.deepcopy(self.lf_columns_tags[columns])
        return failures

    LakeFormationBackend.add_lf_tags_to_resource = add_lf_tags_to_resource  # type: ignore[method-assign]
    grant = PermissionCatalog.add_permission

    def add_permission(self: PermissionCatalog, permission: Permission) -> None:
        cells = permission.resource.get("DataCellsFilter")
        if cells and _key(cells) not in _filters:
            raise _Refused("EntityNotFoundException", f"there is no filter {cells['Name']}")
        grant(self, permission)

    PermissionCatalog.add_permission = add_permission  # type: ignore[method-assign]


def _key(cells: dict[str, Any]) -> tuple[str, ...]:
    fields = ("TableCatalogId", "DatabaseName", "TableName", "Name")
    return tuple(str(cells[field]) for field in fields)


def _create(self: LakeFormationResponse) -> str:
    data = self._get_param("TableData")
    if _key(data) in _filters:
        raise _Refused("AlreadyExistsException", f"the filter {data['Name']} is there already")
    _filters[_key(data)] = data
    return "{}"


def _update(self: LakeFormationResponse) -> str:
    data = self._get_param("TableData")
    if _key(data) not in _filters:
        raise _Refused("EntityNotFoundException", f"there is no filter {data['Name']}")
    _filters[_key(data)] = data
    return "{}"


def _delete(self: LakeFormationResponse) -> str:
    cells = {
        name: self._get_param(name)
        for name in ("TableCatalogId", "DatabaseName", "TableName", "Name")
    }
    granted = self.lakeformation_backend.grants.get(cells["TableCatalogId"])
    for permission in granted.permissions if granted else ():
        if permission.resource.get("DataCellsFilter") == cells:
            raise _Refused("InvalidInputException", f"the filter {cells['Name']} is granted")
    if _filters.pop(_key(cells), None) is None:
        raise _Refused("EntityNotFoundException", f"there is no filter {cells['Name']}")
    return "{}"


def _list(self: LakeFormationResponse) -> str:
    table = self._get_param("Table") or {}
    found = [
        data
        for data in _filters.values()
        if (data["DatabaseName"], data["TableName"]) == (table["DatabaseName"], table["Name"])
    ]
    return json.dumps({"DataCellsFilters": found})


def _paged(whole: Any) -> Any:
    def list_permissions(self: LakeFormationResponse) -> str:
        found = json.loads(whole(self))["PrincipalResourcePermissions"]
        found.sort(key=lambda one: json.dumps(one, sort_keys=True))
        start = int(self._get_param("NextToken") or 0)
        page: dict[str, Any] = {"PrincipalResourcePermissions": found[start : start + PAGE]}
        if start + PAGE < len(found):
            page["NextToken"] = str(start + PAGE)
        return json.dumps(page)

    return list_permissions
