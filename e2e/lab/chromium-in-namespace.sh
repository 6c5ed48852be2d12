#!/bin/sh
# What Playwright starts in Chromium's place: the pipes to the browser stay open through it. LAB_NAMESPACE and LAB_CHROMIUM say where and which.
exec ip netns exec "$LAB_NAMESPACE" "$LAB_CHROMIUM" "$@"
