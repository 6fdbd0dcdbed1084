"""Alerts on data quality: rules over views, evaluated by a small runner; each cause is announced once (docs/ALERTS.md).

    ini, config, options   what was asked for, with file and line
    finding, history       what a rule says; medians and quantiles, exact
    invalid, silent, price, revenue, threshold, rules    the rules: pure functions from rows and a time to verdicts
    engine                 from verdicts to causes that begin and end, and what is to be announced
    state                  causes, announcements under way and silences, in one SQLite file
    delivery, webhook, mail, live, metrics               the ways out
    runner, cli            the process and the command"""
