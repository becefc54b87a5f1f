#!/bin/sh
# Registers what every workflow is filtered by; says nothing when they are there already.
set -eu
for name in OstinatoKind OstinatoRoom OstinatoOwner OstinatoSource OstinatoResource; do
  temporal operator search-attribute create --namespace "$NAMESPACE" --name "$name" --type Keyword || {
    temporal operator search-attribute list --namespace "$NAMESPACE" | grep -q "$name"
  }
done
