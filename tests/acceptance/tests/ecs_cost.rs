//! What an endpoint on ECS costs: what a plan says of it, what it refuses, and when the figure moves. Services keep books and run no container.

use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld};
use mlops_acceptance::{Plan, Workspace};
use serde_json::{Value, json};

const ENDPOINT: &str = "mlops_endpoint.fraud";
const ESTIMATE: &str = "/estimated_monthly_cost_usd";

/// One vCPU and 2 GB on X86_64 in Ireland for 730 hours, by the provider's own prices.
const TASK: f64 = 36.04;

/// An endpoint whose variant says `variant` beside what it runs, and that says `more` itself.
fn endpoint(world: &EcsWorld, variant: &str, more: &str) -> String {
    let image = world.paper_images("own", "latest", &["amd64", "arm64"], "own");
    let runs = format!("image = \"{image}\"\n      {variant}");
    world.endpoint("fraud", &runs, &format!("{more}\n  {AT_ONCE}"))
}

/// Without one nothing would say when there are more tasks.
const POLICY: &str = "policies = { cpu = { metric = \"cpu\", target = 60 } }";

const SIZE: &str = "cpu = 1024\n memory_mb = 2048";

/// A price file with one row, which is changed.
fn prices(change: impl FnOnce(&mut Value)) -> String {
    let mut file = json!({
        "currency": "USD",
        "sources": { "contract": { "address": "contract 4711", "date": "2026-03-01" } },
        "fargate": [
            { "region": "eu-west-1", "architecture": "X86_64", "vcpu_hour": 0.03, "gb_hour": 0.004, "source": "contract" },
        ],
    });
    change(&mut file);
    file.to_string()
}

#[track_caller]
fn planned(work: &mut Workspace) -> (Plan, Option<f64>) {
    let plan = work.plan();
    let figure = plan
        .after(ENDPOINT)
        .0
        .pointer(ESTIMATE)
        .and_then(Value::as_f64);
    (plan, figure)
}

fn held(work: &Workspace) -> Option<f64> {
    work.state().object(ENDPOINT).get(ESTIMATE).as_f64()
}

/// infracost#2733: the estimate is in the plan, moves with what decides it and with nothing else, and is warned about where it grows.
#[test]
fn an_estimate_is_in_the_plan_and_moves_with_what_decides_it() {
    let Some(world) =
        EcsWorld::on_paper_for("an_estimate_is_in_the_plan_and_moves_with_what_decides_it")
    else {
        return;
    };
    let before = world.everything();
    let mut work = world.workspace("");
    let limits = "cost { warn_increase_percent = 20 }";
    work.config(&endpoint(&world, SIZE, limits));
    let (plan, figure) = planned(&mut work);
    assert_eq!((figure, plan.warnings()), (Some(TASK), Vec::new()));
    work.apply();
    assert_eq!(held(&work), Some(TASK));

    // Another revision of the same size costs the same.
    let changed = format!("{SIZE}\n environment = {{ A = \"b\" }}");
    work.config(&endpoint(&world, &changed, limits));
    assert_eq!(planned(&mut work).1, Some(TASK));

    // Twice as much of both, and the reviewer reads it.
    let twice = "cpu = 2048\n memory_mb = 4096";
    work.config(&endpoint(&world, twice, limits));
    let (plan, figure) = planned(&mut work);
    assert_eq!(figure, Some(72.08));
    let warned = plan.warnings().join("\n");
    for part in [
        "36.04 USD a month now",
        "72.08 USD a month after",
        "100 % more",
        "warn_increase_percent is 20",
    ] {
        assert!(warned.contains(part), "{warned}");
    }
    let comment = work.run(["plan", "-input=false", "-no-color"]);
    comment.succeeded();
    let line = comment
        .output
        .lines()
        .find(|line| line.contains("estimated_monthly_cost_usd"));
    let line: Vec<_> = line
        .expect("it is in the diff")
        .split_whitespace()
        .collect();
    assert_eq!(
        line.join(" "),
        "~ estimated_monthly_cost_usd = 36.04 -> 72.08"
    );
    work.apply();

    // Fewer tasks never, more of them perhaps: the figure is of the fewest, and the warning tells both.
    let scaled =
        format!("{limits}\n  autoscaling {{\n    min = 1\n    max = 4\n    {POLICY}\n  }}");
    work.config(&endpoint(&world, twice, &scaled));
    let (plan, figure) = planned(&mut work);
    assert_eq!(figure, Some(72.08));
    let warned = plan.warnings().join("\n");
    assert!(
        warned.contains("72.08 to 288.32 USD a month after"),
        "{warned}"
    );
    work.apply();

    // Imported, it has the figure after its first refresh.
    work.forget(ENDPOINT);
    work.import(ENDPOINT, &format!("ecs/{}/fraud", world.cluster));
    assert_eq!(held(&work), Some(72.08));
    work.destroy();
    assert_eq!(world.everything(), before);
}

#[test]
fn a_ceiling_refuses_what_autoscaling_may_make_of_it_and_leaves_what_runs_already() {
    let name = "a_ceiling_refuses_what_autoscaling_may_make_of_it_and_leaves_what_runs_already";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = world.everything();
    let mut work = world.workspace("");
    let limited = |max: &str, most: u32| {
        let more = format!(
            "cost {{ max_monthly_usd = {max} }}\n  autoscaling {{\n    min = 1\n    max = {most}\n    {POLICY}\n  }}"
        );
        endpoint(&world, SIZE, &more)
    };
    work.config(&limited("144.15", 4));
    work.plan_fails(&[
        "may cost 144.16 USD a month",
        "36.04 with the fewest",
        "allows 144.15",
        "max_monthly_usd",
        "2026-09-29",
    ]);
    work.config(&limited("144.16", 4));
    work.apply();
    // Lower than what runs: this plan says so.
    work.config(&limited("100", 4));
    work.plan_fails(&["allows 100.00"]);

    // Prices that rise are no reason to refuse a change that costs nothing.
    let dear = prices(|file| file["fargate"][0]["vcpu_hour"] = json!(1));
    let file = work.write("dear.json", dear);
    let dearer = |config: &str| {
        config.replace(
            "provider \"mlops\" {",
            &format!(
                "provider \"mlops\" {{\n  price_file = {:?}",
                file.display().to_string()
            ),
        )
    };
    work.config(&limited("144.16", 4));
    let main = std::fs::read_to_string(work.path("main.tf")).expect("it was written");
    work.write(
        "main.tf",
        dearer(&main).replace(
            "traffic = 100",
            "traffic = 100\n environment = { A = \"b\" }",
        ),
    );
    let (plan, _) = planned(&mut work);
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    work.write("main.tf", dearer(&main).replace("max = 4", "max = 3"));
    work.plan_fails(&["allows 144.16", "contract 4711"]);

    work.write("main.tf", main);
    work.destroy();
    assert_eq!(world.everything(), before);
}

#[test]
fn a_ceiling_that_a_plan_could_not_judge_refuses_the_apply_before_anything_is_made() {
    let name = "a_ceiling_that_a_plan_could_not_judge_refuses_the_apply_before_anything_is_made";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = world.everything();
    let mut work = world.workspace("");
    let unknown = "resource \"terraform_data\" \"image\" {\n  input = \"000000000000.dkr.ecr.eu-west-1.amazonaws.com/own\"\n}\n";
    let config = endpoint(&world, SIZE, "cost { max_monthly_usd = 20 }");
    let config = config.replace(
        "\"000000000000.dkr.ecr.eu-west-1.amazonaws.com/own@",
        "\"${terraform_data.image.output}@",
    );
    work.config(&format!("{config}{unknown}"));
    assert!(work.plan().unknown(ENDPOINT, ESTIMATE));
    work.apply_fails(&["may cost 36.04 USD a month", "allows 20.00"]);
    assert_eq!(world.everything(), before);

    work.config(&format!("{}{unknown}", config.replace("= 20 }", "= 40 }")));
    work.apply();
    assert_eq!(held(&work), Some(TASK));
    work.destroy();
    assert_eq!(world.everything(), before);
}

/// A provider of another version brings other prices, and one before this knew none: neither is something to apply.
#[test]
fn prices_that_change_are_a_refresh_and_never_a_change() {
    let Some(world) = EcsWorld::on_paper_for("prices_that_change_are_a_refresh_and_never_a_change")
    else {
        return;
    };
    let mut work = world.workspace("price_file = \"prices.json\"");
    work.write("prices.json", prices(|_| {}));
    work.config(&endpoint(&world, SIZE, ""));
    work.apply();
    // (0.03 + 2 * 0.004) * 730
    assert_eq!(held(&work), Some(27.74));

    work.write(
        "prices.json",
        prices(|file| file["fargate"][0]["vcpu_hour"] = json!(0.04)),
    );
    let nothing = |work: &Workspace| {
        let ended = work.run(["plan", "-json", "-input=false", "-refresh=false"]);
        ended.succeeded();
        assert!(
            ended.output.contains("\"add\":0,\"change\":0"),
            "{}",
            ended.output
        );
    };
    nothing(&work);
    let plan = work.plan();
    assert_eq!(plan.changes(), Vec::new(), "nothing to apply");
    work.apply();
    assert_eq!(held(&work), Some(35.04));

    // A state that was written before there were estimates.
    let file = work.path("terraform.tfstate");
    let mut state: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("a state")).expect("JSON");
    let attributes = state
        .pointer_mut("/resources/0/instances/0/attributes")
        .expect("the endpoint");
    let attributes = attributes.as_object_mut().expect("attributes");
    assert!(attributes.remove("estimated_monthly_cost_usd").is_some());
    assert!(attributes.remove("cost").is_some());
    work.write("terraform.tfstate", state.to_string());
    nothing(&work);
    let plan = work.plan();
    assert_eq!(plan.changes(), Vec::new(), "nothing to apply");
    work.apply();
    assert_eq!(held(&work), Some(35.04));

    // Without a price the figure goes, without a word: nothing was planned.
    let unpriced = prices(|file| file["fargate"][0]["region"] = json!("eu-central-1"));
    work.write("prices.json", unpriced);
    assert_eq!(work.plan().warnings(), Vec::<String>::new());
    work.destroy();
}

#[test]
fn what_has_no_price_is_null_with_a_warning_that_names_it() {
    let Some(mut world) =
        EcsWorld::on_paper_for("what_has_no_price_is_null_with_a_warning_that_names_it")
    else {
        return;
    };
    let quiet = "preflight { mode = \"off\" }";
    let plan = |world: &EcsWorld, config: &dyn Fn(String) -> String| {
        let mut work = world.workspace(quiet);
        work.config(&config(endpoint(
            world,
            SIZE,
            "cost { max_monthly_usd = 1 }",
        )));
        let (plan, figure) = planned(&mut work);
        assert_eq!(figure, None);
        plan.warnings().join("\n")
    };
    let machines = |config: String| config.replace("ecs {", "ecs {\n    launch_type = \"EC2\"");
    let warned = plan(&world, &machines);
    for part in [
        "no price for the machines of launch_type EC2",
        "is null",
        "The block cost is not checked",
    ] {
        assert!(warned.contains(part), "{warned}");
    }
    let moved = |world: &mut EcsWorld, region: &str| {
        world.load_balancer_arn = world.load_balancer_arn.replace(&world.region, region);
        region.clone_into(&mut world.region);
    };
    moved(&mut world, "us-west-2");
    let arm = |config: String| {
        config.replace(
            "traffic = 100",
            "traffic = 100\n      architecture = \"ARM64\"",
        )
    };
    let warned = plan(&world, &arm);
    assert!(
        warned.contains("no price for Fargate on ARM64 in us-west-2"),
        "{warned}"
    );
    assert!(warned.contains("price_file"), "{warned}");
    moved(&mut world, "mars-north-1");
    let warned = plan(&world, &|config| config);
    assert!(
        warned.contains("no price for Fargate on X86_64 in mars-north-1"),
        "{warned}"
    );
}

#[test]
fn what_is_wrong_with_limits_or_prices_is_an_error_of_the_plan_that_names_it() {
    let name = "what_is_wrong_with_limits_or_prices_is_an_error_of_the_plan_that_names_it";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let mut work = world.workspace("");
    for (block, said) in [
        ("max_monthly_usd = 0", "must be above zero"),
        ("max_monthly_usd = -5", "must be above zero"),
        ("max_monthly_usd = \"NaN\"", "a number is required"),
        // Terraform makes an infinite number of it, and hands it on.
        ("max_monthly_usd = 1 / 0", "is not finite"),
        ("warn_increase_percent = -1", "must be at least 0"),
        ("", "at least one of"),
    ] {
        work.config(&endpoint(&world, SIZE, &format!("cost {{\n {block}\n }}")));
        let ended = work.try_plan();
        let told = format!("{:?}", ended.diagnostics).to_lowercase();
        assert!(told.contains(&said.to_lowercase()), "{block}: {told}");
    }
    let mut here = Workspace::new();
    here.config(
        "resource \"mlops_endpoint\" \"fraud\" {\n  name = \"fraud\"\n  variants = { main = { model = \"m\", model_version = 1, traffic = 100 } }\n  \
         local {}\n  cost { max_monthly_usd = 1 }\n}\n",
    );
    here.plan_fails(&["block cost is for an endpoint on ECS"]);

    let files: [(&str, Option<String>, &str); 7] = [
        ("missing.json", None, "cannot be read"),
        (
            "text.json",
            Some("0.04 per hour".to_owned()),
            "is not a price file",
        ),
        (
            "hearsay.json",
            Some(prices(|file| {
                file["fargate"][0]
                    .as_object_mut()
                    .expect("a row")
                    .remove("source");
            })),
            "figures without a source",
        ),
        (
            "euro.json",
            Some(prices(|file| file["currency"] = json!("EUR"))),
            "in \"EUR\"",
        ),
        (
            "free.json",
            Some(prices(|file| file["fargate"][0]["gb_hour"] = json!(0))),
            "a price is above zero",
        ),
        (
            "negative.json",
            Some(prices(|file| file["fargate"][0]["gb_hour"] = json!(-1))),
            "a price is above zero",
        ),
        (
            "nan.json",
            Some(prices(|file| file["fargate"][0]["gb_hour"] = json!("NaN"))),
            "\"NaN\"",
        ),
    ];
    for (file, text, said) in files {
        let mut work = world.workspace(&format!("price_file = \"{file}\""));
        if let Some(text) = text {
            work.write(file, text);
        }
        work.config(&endpoint(&world, SIZE, ""));
        work.plan_fails(&[said, file, "price_file"]);
    }
}
