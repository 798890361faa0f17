"""Dagster: assets, partitions, checks, jobs and schedules. The only package that imports Dagster.

Assets here are thin: they read which days are asked for, call one domain function and attach
metadata. Everything that computes or decides lives in the domain packages.
"""
