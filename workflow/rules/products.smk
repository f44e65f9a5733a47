# Scores, maps and the page about them.


rule evaluate:
    input:
        link.deps("evaluate"),
    output:
        link.outs(
            "evaluate",
            {
                "*.json": partial(
                    report, caption="../report/scores.rst", category="Scores"
                ),
                "*.csv": partial(
                    report, caption="../report/tables.rst", category="Tables"
                ),
            },
        ),
    log:
        link.log("evaluate"),
    benchmark:
        link.benchmark("evaluate")
    threads: 8
    resources:
        mem_mb=memory(8000),
        gpu=0,
    shell:
        link.run("evaluate")


rule map:
    input:
        link.deps("map"),
    output:
        link.outs("map"),
    log:
        link.log("map"),
    benchmark:
        link.benchmark("map")
    threads: 8
    resources:
        mem_mb=memory(8000),
        gpu=0,
    shell:
        link.run("map")


rule export:
    input:
        link.deps("export"),
    output:
        link.outs("export"),
    log:
        link.log("export"),
    benchmark:
        link.benchmark("export")
    threads: 1
    resources:
        mem_mb=memory(4000),
    shell:
        link.run("export")


rule report:
    input:
        link.deps("report"),
    output:
        link.outs(
            "report",
            {
                "*": partial(
                    report,
                    caption="../report/page.rst",
                    category="Report",
                    htmlindex="index.html",
                ),
            },
        ),
    log:
        link.log("report"),
    benchmark:
        link.benchmark("report")
    threads: 1
    resources:
        mem_mb=memory(8000),
    shell:
        link.run("report")
