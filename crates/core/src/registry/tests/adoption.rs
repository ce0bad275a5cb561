use super::*;

#[tokio::test]
async fn a_model_of_a_killed_session_is_adopted_if_the_specification_is_equal() {
    let world = World::new();
    let (killed, process) = world.process();
    let lost = killed.create_model(&fraud(), accuracy()).await.unwrap();
    let next = world.registry();
    assert!(
        next.create_model(&fraud(), accuracy())
            .await
            .unwrap_err()
            .is_conflict(),
        "it lives"
    );
    process.kill();
    let other = ModelSpec {
        owner: Some("bob".into()),
        ..accuracy()
    };
    assert!(
        next.create_model(&fraud(), other)
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(next.create_model(&fraud(), accuracy()).await.unwrap(), lost);
    let third = world.registry();
    assert!(
        third
            .create_model(&fraud(), accuracy())
            .await
            .unwrap_err()
            .is_conflict(),
        "taken"
    );
}

#[tokio::test]
async fn an_alias_of_a_killed_session_is_adopted() {
    let world = World::new();
    let (killed, process) = world.process();
    killed.create_model(&fraud(), accuracy()).await.unwrap();
    killed.register_version(world.version(0.9)).await.unwrap();
    let lost = killed.create_alias(champion(Some(1))).await.unwrap();
    process.kill();
    let next = world.registry();
    assert!(
        next.create_alias(champion(None))
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(
        next.create_alias(champion(Some(1))).await.unwrap().alias,
        lost.alias
    );
}

#[tokio::test]
async fn a_record_that_a_state_holds_is_never_adopted_by_its_twin() {
    let world = World::new();
    let (killed, process) = world.process();
    killed.create_model(&fraud(), accuracy()).await.unwrap();
    let held = killed.register_version(world.version(0.9)).await.unwrap();
    process.kill();

    let planner = world.registry();
    planner.note_held("fraud/1").await.unwrap();
    let commits = world.records.commits();
    planner.note_held("fraud/1").await.unwrap();
    assert_eq!(world.records.commits(), commits, "a plan writes nothing");

    let next = world.registry();
    let twin = next.register_version(world.version(0.9)).await.unwrap();
    assert_ne!(twin.id, held.id);
    let partition = format!("session#{}", killed.session().id);
    let rows = world
        .records
        .query(&partition, Default::default())
        .await
        .unwrap()
        .items;
    let left: Vec<&str> = rows.iter().map(|item| item.key.sort.as_str()).collect();
    assert_eq!(left, ["model#fraud"], "the held version was acknowledged");
}

#[tokio::test]
async fn what_nobody_abandoned_is_not_noted() {
    let world = World::new();
    let (registry, _) = world.process();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    world.registry().note_held("fraud").await.unwrap();
    let hint = format!("{} fraud", registry.session().id);
    assert!(!world.held.contains(&hint), "its session lives");
}

#[tokio::test]
async fn an_orderly_end_leaves_no_session_behind() {
    let world = World::new();
    let (registry, process) = world.process();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    for _ in 0..120 {
        registry.register_version(world.version(0.9)).await.unwrap();
    }
    registry.close_session().await.unwrap();
    let left: Vec<_> = world
        .records
        .dump()
        .into_iter()
        .filter(|item| item.key.partition.starts_with("session"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    process.kill();
    let next = world.registry();
    let fresh = next.register_version(world.version(0.9)).await.unwrap();
    assert_eq!(
        fresh.id,
        id("fraud/121"),
        "acknowledged records are not adopted"
    );
}

#[tokio::test]
async fn a_session_whose_records_were_all_adopted_is_cleared_up() {
    let world = World::new();
    let (killed, process) = world.process();
    killed.create_model(&fraud(), accuracy()).await.unwrap();
    process.kill();
    let next = world.registry();
    next.create_model(&fraud(), accuracy()).await.unwrap();
    next.close_session().await.unwrap();
    let left = world
        .records
        .query("sessions", Default::default())
        .await
        .unwrap();
    assert!(left.items.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_plan_that_creates_nothing_opens_no_session() {
    let world = World::new();
    let registry = world.registry();
    registry.model(&fraud()).await.unwrap();
    registry.note_held("fraud").await.unwrap();
    registry.close_session().await.unwrap();
    assert!(world.records.dump().is_empty());
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_found_by_its_nonce() {
    let world = World::new();
    let registry = world.registry();
    registry.create_model(&fraud(), accuracy()).await.unwrap();
    world.records.lose_answers(1);
    let found = registry.register_version(world.version(0.9)).await.unwrap();
    assert_eq!(found.id, id("fraud/1"));
    assert_eq!(
        registry
            .register_version(world.version(0.9))
            .await
            .unwrap()
            .id,
        id("fraud/2")
    );
}

#[tokio::test]
async fn of_two_processes_that_adopt_at_once_one_gets_the_record() {
    let world = World::new();
    let (killed, process) = world.process();
    killed.create_model(&fraud(), accuracy()).await.unwrap();
    killed.register_version(world.version(0.9)).await.unwrap();
    process.kill();
    let (a, b) = (world.registry(), world.registry());
    let (a, b) = tokio::join!(
        a.register_version(world.version(0.9)),
        b.register_version(world.version(0.9))
    );
    let mut numbers = [a.unwrap().id.version, b.unwrap().id.version];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn a_name_that_a_state_once_held_is_adopted_when_it_was_made_again_by_a_killed_session() {
    let world = World::new();
    let (first, process) = world.process();
    first.create_model(&fraud(), accuracy()).await.unwrap();
    first.register_version(world.version(0.9)).await.unwrap();
    let alias = first.create_alias(champion(Some(1))).await.unwrap().alias;
    process.kill();
    let owner = world.registry();
    owner.note_held("fraud@champion").await.unwrap();
    owner.delete_alias(&alias.id()).await.unwrap();

    let (second, process) = world.process();
    let lost = second.create_alias(champion(Some(1))).await.unwrap();
    process.kill();
    let next = world.registry();
    assert_eq!(
        next.create_alias(champion(Some(1))).await.unwrap().alias,
        lost.alias
    );
}
