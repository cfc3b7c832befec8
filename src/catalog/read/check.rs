//! Whether a price rule is total: every job that the parameters allow has exactly one price.

use crate::catalog::{Decimal, Param, ParamKind, PriceRule, Rate, Value};

/// Most values that an integer may have to choose a rate.
const INTEGER_VALUES_MAX: i128 = 64;
/// Most combinations of values that a table of rates may cover.
pub(super) const COMBINATIONS_MAX: usize = 4_096;
/// How many missing combinations an error names.
const NAMED_MAX: usize = 4;

/// What is wrong with a rule, a sentence each; nothing where it is total.
pub(super) fn price_rule(rule: &PriceRule, params: &[Param]) -> Vec<String> {
    let mut faults = Vec::new();
    let most = quantity_max(rule, params, &mut faults);
    if rule.rates.iter().any(|rate| rule.scale.price(rate.rate, most).is_none()) {
        faults.push("the dearest job would cost more than any amount of money".to_owned());
    }
    idle_params(rule, params, &mut faults);
    if !rule.by.is_empty() {
        table(rule, params, &mut faults);
    }
    faults
}

/// The largest quantity that a job may have; 1 where there is no bound, as the plan checks each price again.
fn quantity_max(rule: &PriceRule, params: &[Param], faults: &mut Vec<String>) -> u64 {
    let Some(name) = &rule.quantity else { return 1 };
    let Some(param) = params.iter().find(|param| param.name == *name) else {
        faults.push(format!("the quantity `{name}` is no parameter of the endpoint"));
        return 1;
    };
    needs_value(param, "quantity", faults);
    let units = match (&param.kind, rule.scale.length) {
        (ParamKind::Text, Some(_)) => 1,
        (_, Some(length)) => {
            faults.push(format!("the quantity `{name}` is no text: it has no length in {}", <&str>::from(length)));
            1
        }
        (ParamKind::Integer { min, max }, None) => {
            if *min < 1 {
                faults.push(format!("the quantity `{name}` may be {}; give it `min = 1` or more", least(*min)));
            }
            if *max == i64::MAX { 1 } else { u64::try_from(*max).unwrap_or(1).div_ceil(rule.scale.per.get()) }
        }
        (ParamKind::Decimal { min, max }, None) => {
            if min.is_none_or(|min| min <= Decimal::ZERO) {
                faults.push(format!("the quantity `{name}` may be zero or below; give it a `min` above that"));
            }
            max.and_then(|max| max.units(rule.scale.per)).unwrap_or(1)
        }
        (ParamKind::Text, None) => {
            faults.push(format!("the quantity `{name}` is text: say `length = \"characters\"` or `\"bytes\"`"));
            1
        }
        (_, None) => {
            faults
                .push(format!("the quantity `{name}` is no integer; only an integer or a decimal multiplies a price"));
            1
        }
    };
    // What does not fit is told of the rate.
    units.saturating_mul(factor_max(rule, params, faults))
}

/// The largest factor of the quantity; 1 where there is no bound.
fn factor_max(rule: &PriceRule, params: &[Param], faults: &mut Vec<String>) -> u64 {
    let Some(name) = &rule.scale.factor else { return 1 };
    match params.iter().find(|param| param.name == *name) {
        None => faults.push(format!("the factor `{name}` is no parameter of the endpoint")),
        Some(param @ Param { kind: ParamKind::Integer { min: 1.., max }, .. }) => {
            needs_value(param, "factor", faults);
            return if *max == i64::MAX { 1 } else { max.unsigned_abs() };
        }
        Some(_) => faults.push(format!("the factor `{name}` is no integer with `min = 1` or more")),
    }
    1
}

/// Parameters that go nowhere and set no price.
fn idle_params(rule: &PriceRule, params: &[Param], faults: &mut Vec<String>) {
    let sets = |name: &String| {
        rule.by.contains(name) || rule.quantity.as_ref() == Some(name) || rule.scale.factor.as_ref() == Some(name)
    };
    for param in params.iter().filter(|param| !param.is_sent() && !sets(&param.name)) {
        faults.push(format!(
            "`{0}` is not sent, and no price follows from it; a column of your own is `x_{0}`",
            param.name
        ));
    }
}

fn least(min: i64) -> String {
    if min == i64::MIN { "below zero".to_owned() } else { min.to_string() }
}

fn needs_value(param: &Param, role: &str, faults: &mut Vec<String>) {
    if !param.required && param.default.is_none() {
        faults.push(format!(
            "the {role} `{}` may be left out of a job; give it `required = true` or a default",
            param.name
        ));
    }
}

fn table(rule: &PriceRule, params: &[Param], faults: &mut Vec<String>) {
    let mut columns: Vec<Vec<Value>> = Vec::with_capacity(rule.by.len());
    for name in &rule.by {
        let Some(param) = params.iter().find(|param| param.name == *name) else {
            faults.push(format!("`{name}`, which chooses the rate, is no parameter of the endpoint"));
            return;
        };
        needs_value(param, "rate's parameter", faults);
        match possible_values(&param.kind) {
            Some(values) => columns.push(values),
            None => {
                faults.push(format!(
                    "`{name}` cannot choose a rate: expected a choice, a boolean or an integer of at most \
                     {INTEGER_VALUES_MAX} values"
                ));
                return;
            }
        }
    }
    let combinations = columns.iter().try_fold(1usize, |product, values| product.checked_mul(values.len()));
    if combinations.is_none_or(|count| count > COMBINATIONS_MAX) {
        faults.push(format!("`by` has more than {COMBINATIONS_MAX} combinations of values"));
        return;
    }
    compare(rule, &combine(&columns), faults);
}

/// Every combination against every rate.
fn compare(rule: &PriceRule, combinations: &[Vec<Value>], faults: &mut Vec<String>) {
    let rates_for = |when: &Vec<Value>| rule.rates.iter().filter(|rate| rate.when == *when).count();
    let missing: Vec<&Vec<Value>> = combinations.iter().filter(|when| rates_for(when) == 0).collect();
    if !missing.is_empty() {
        let named: Vec<String> = missing.iter().take(NAMED_MAX).map(|when| words(&rule.by, when)).collect();
        let more = missing.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        faults.push(format!("no rate for {}{more}", named.join("; ")));
    }
    let idle = |rate: &&Rate| !combinations.contains(&rate.when);
    for rate in rule.rates.iter().filter(idle).take(NAMED_MAX) {
        faults.push(format!("the rate for {} can never apply", words(&rule.by, &rate.when)));
    }
    for when in combinations.iter().filter(|when| rates_for(when) > 1).take(NAMED_MAX) {
        faults.push(format!("more than one rate for {}", words(&rule.by, when)));
    }
}

fn words(by: &[String], when: &[Value]) -> String {
    by.iter().zip(when).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

fn combine(columns: &[Vec<Value>]) -> Vec<Vec<Value>> {
    columns.iter().fold(vec![Vec::new()], |rows, column| {
        let extend = |row: &Vec<Value>, value: &Value| row.iter().cloned().chain([value.clone()]).collect();
        rows.iter().flat_map(|row| column.iter().map(move |value| extend(row, value))).collect()
    })
}

/// All values that a parameter can have, where they are few.
fn possible_values(kind: &ParamKind) -> Option<Vec<Value>> {
    match kind {
        ParamKind::Choice { values } => Some(values.iter().cloned().map(Value::Text).collect()),
        ParamKind::Boolean => Some(vec![Value::Boolean(false), Value::Boolean(true)]),
        ParamKind::Integer { min, max } => {
            let few = i128::from(*max) - i128::from(*min) < INTEGER_VALUES_MAX;
            few.then(|| (*min..=*max).map(Value::Integer).collect())
        }
        ParamKind::Text
        | ParamKind::Decimal { .. }
        | ParamKind::IntegerOrText
        | ParamKind::List
        | ParamKind::Object
        | ParamKind::Image
        | ParamKind::File { .. } => None,
    }
}
