# From scenes to a split that does not leak.


if "demo" in link:

    rule demo:
        input:
            link.deps("demo"),
        output:
            link.outs("demo"),
        log:
            link.log("demo"),
        benchmark:
            link.benchmark("demo")
        threads: 8
        resources:
            mem_mb=memory(4000),
        shell:
            link.run("demo")


rule scenes:
    input:
        link.deps("scenes"),
    output:
        link.outs("scenes"),
    log:
        link.log("scenes"),
    benchmark:
        link.benchmark("scenes")
    threads: 8
    resources:
        mem_mb=memory(4000),
    shell:
        link.run("scenes")


rule coregister:
    input:
        link.deps("coregister"),
    output:
        link.outs("coregister"),
    log:
        link.log("coregister"),
    benchmark:
        link.benchmark("coregister")
    threads: 8
    resources:
        mem_mb=memory(16000),
    shell:
        link.run("coregister")


rule tile:
    input:
        link.deps("tile"),
    output:
        link.outs("tile"),
    log:
        link.log("tile"),
    benchmark:
        link.benchmark("tile")
    threads: 8
    resources:
        mem_mb=memory(8000),
    shell:
        link.run("tile")


rule split:
    input:
        link.deps("split"),
    output:
        link.outs("split"),
    log:
        link.log("split"),
    benchmark:
        link.benchmark("split")
    threads: 1
    resources:
        mem_mb=memory(8000),
    shell:
        link.run("split")
