from kfp import compiler, dsl


@dsl.container_component
def fetch(title: str, data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(
        image="python:3.12-slim",
        command=["python", "fetch.py", "--title", title, data.path],
    )


@dsl.container_component
def train(rate: float, data: dsl.Input[dsl.Dataset]):
    return dsl.ContainerSpec(
        image="python:3.12-slim",
        command=["python", "train.py", "--rate", rate, data.path],
    )


@dsl.pipeline(name="demo")
def demo(rate: float = 0.1, title: str = "Reports"):
    fetched = fetch(title=title)
    trained = train(rate=rate, data=fetched.outputs["data"])
    trained.set_retry(num_retries=2)


compiler.Compiler().compile(demo, "kfp_ir.yaml")
