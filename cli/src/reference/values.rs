//! From the columns of a table to the inputs of a model.

use mlops_core::reference::{Values, range};
use mlops_core::signature::{Datatype, Signature};
use mlops_core::{Error, Result};

use super::csv::Table;

/// Whole numbers beyond are not exact in the numbers that distributions are made of.
const EXACT: i128 = 1 << 53;

/// The columns that one input of the model takes, in the order of a row.
#[derive(Debug, PartialEq)]
pub(super) struct Columns(pub(super) Vec<usize>);

/// Which column goes where: to a model of one input by position, to one of several by name.
pub(super) fn assign(
    table: &Table,
    dropped: &[usize],
    signature: &Signature,
) -> Result<Vec<Columns>> {
    let mut left: Vec<usize> = (0..table.names().len())
        .filter(|column| !dropped.contains(column))
        .collect();
    if let Some(single) = signature.inputs.iter().find(|input| input.shape.is_empty()) {
        return Err(Error::invalid(format!(
            "input {:?} of the model is one value for all rows of a request: it has no rows to make a reference of",
            single.name
        )));
    }
    if let [only] = &signature.inputs[..] {
        let width = only.row_width().unwrap_or(left.len());
        if left.len() != width {
            return Err(Error::invalid(format!(
                "the model's input {:?} takes {width} values a row, and the file has {} columns for it: {}; name those that are not for \
                 the model with --drop",
                only.name,
                left.len(),
                listed(table, &left)
            )));
        }
        return Ok(vec![Columns(left)]);
    }
    let mut found = Vec::new();
    for input in &signature.inputs {
        let width = input.row_width().ok_or_else(|| {
            Error::invalid(format!(
                "input {:?} of the model leaves its width open, so that columns cannot be told by name",
                input.name
            ))
        })?;
        let mut columns = Vec::new();
        for name in names_of(&input.name, width) {
            let at = left
                .iter()
                .position(|column| table.names()[*column] == name);
            let at = at.ok_or_else(|| {
                Error::invalid(format!(
                    "the model's input {:?} needs a column named {name:?}, and the file has none",
                    input.name
                ))
            })?;
            columns.push(left.remove(at));
        }
        found.push(Columns(columns));
    }
    if left.is_empty() {
        return Ok(found);
    }
    Err(Error::invalid(format!(
        "no input of the model is called {}; leave out what is not for the model with --drop",
        listed(table, &left)
    )))
}

/// What the values of a row of a tensor are called.
pub(super) fn names_of(tensor: &str, width: usize) -> Vec<String> {
    match width {
        1 => vec![tensor.to_owned()],
        _ => (0..width).map(|at| format!("{tensor}[{at}]")).collect(),
    }
}

fn listed(table: &Table, columns: &[usize]) -> String {
    const MOST: usize = 8;
    let mut names: Vec<String> = columns
        .iter()
        .take(MOST)
        .map(|column| format!("{:?}", table.names()[*column]))
        .collect();
    if columns.len() > MOST {
        names.push("…".into());
    }
    names.join(", ")
}

/// The values of an input, row by row, as the model will see them: what a model rounds is rounded here too.
pub(super) fn values(table: &Table, columns: &Columns, datatype: Datatype) -> Result<Values> {
    let places = || (0..table.rows()).flat_map(|row| columns.0.iter().map(move |at| (row, *at)));
    if datatype == Datatype::Bytes {
        let texts = places().map(|(row, column)| table.cell(row, column).to_owned());
        return Ok(Values::Texts(texts.collect()));
    }
    let number = |(row, column)| {
        number(table.cell(row, column).trim(), datatype)
            .map_err(|why| Error::invalid(format!("{}: {why}", table.place(row, column))))
    };
    Ok(Values::Numbers(
        places().map(number).collect::<Result<_>>()?,
    ))
}

fn number(cell: &str, datatype: Datatype) -> Result<f64, String> {
    if datatype == Datatype::Bool {
        return match cell.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(1.0),
            "false" | "0" => Ok(0.0),
            _ => Err(format!("{cell:?} is no truth value: true or false")),
        };
    }
    let range = range(datatype);
    if cell.is_empty() {
        return match range {
            None => Ok(f64::NAN),
            Some(_) => Err(format!(
                "it is empty, and {datatype} cannot say that a value is missing"
            )),
        };
    }
    let parsed: f64 = cell
        .parse()
        .map_err(|_| format!("{cell:?} is no number, and the model takes {datatype}"))?;
    if let Some(range) = range {
        // 3.0 is how a table with missing values elsewhere writes 3.
        let exact = parsed.fract() == 0.0 && parsed.abs() <= EXACT as f64;
        return if exact && range.contains(&(parsed as i128)) {
            Ok(parsed + 0.0)
        } else {
            Err(format!(
                "{cell:?} is no {datatype} that can be told exactly"
            ))
        };
    }
    let rounded = match datatype {
        Datatype::Fp16 => half(parsed),
        Datatype::Fp32 => f64::from(parsed as f32),
        _ => parsed,
    };
    if rounded.is_finite() {
        // There is one zero.
        Ok(rounded + 0.0)
    } else {
        Err(format!(
            "{cell:?} is no finite {datatype}; leave the cell empty where a value is missing"
        ))
    }
}

/// The nearest number of half precision: eleven bits, of which the last is worth 2^-24 or more.
fn half(number: f64) -> f64 {
    let exponent = number.abs().log2().floor().max(-14.0);
    let unit = (exponent - 10.0).exp2();
    let rounded = (number / unit).round_ties_even() * unit;
    if rounded.abs() <= 65504.0 {
        rounded
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::signature::Tensor;

    use super::*;

    fn table(text: &str) -> Table {
        Table::read(text.as_bytes()).unwrap()
    }

    fn signature(inputs: &[(&str, Datatype, &[i64])]) -> Signature {
        let tensor = |(name, datatype, shape): &(&str, Datatype, &[i64])| Tensor {
            name: (*name).into(),
            datatype: *datatype,
            shape: shape.to_vec(),
        };
        Signature {
            inputs: inputs.iter().map(tensor).collect(),
            outputs: Vec::new(),
        }
    }

    #[test]
    fn one_input_takes_columns_by_position_and_several_take_them_by_name() {
        let rows = table("label,b,a\n1,2,3\n");
        let one = signature(&[("x", Datatype::Fp32, &[-1, 2])]);
        assert_eq!(assign(&rows, &[0], &one).unwrap(), [Columns(vec![1, 2])]);
        let open = signature(&[("x", Datatype::Fp32, &[-1, -1])]);
        assert_eq!(assign(&rows, &[], &open).unwrap(), [Columns(vec![0, 1, 2])]);

        let rows = table("a[1],b,a[0]\n1,2,3\n");
        let (a, b) = (
            ("a", Datatype::Fp32, &[-1, 2][..]),
            ("b", Datatype::Bytes, &[-1][..]),
        );
        let several = signature(&[a, b]);
        assert_eq!(
            assign(&rows, &[], &several).unwrap(),
            [Columns(vec![2, 0]), Columns(vec![1])]
        );
    }

    #[test]
    fn columns_that_do_not_suit_the_model_are_named() {
        let (a, b) = (
            ("a", Datatype::Fp32, &[-1, 2][..]),
            ("b", Datatype::Bytes, &[-1][..]),
        );
        for (text, inputs, said) in [
            (
                "x,y,z\n1,2,3\n",
                &[a][..],
                "input \"a\" takes 2 values a row, and the file has 3 columns for it: \"x\", \"y\", \"z\"",
            ),
            ("a[0],b\n1,2\n", &[a, b], "needs a column named \"a[1]\""),
            (
                "a[0],a[1],b,id\n1,2,3,4\n",
                &[a, b],
                "no input of the model is called \"id\"",
            ),
            (
                "b\n1\n",
                &[("b", Datatype::Fp32, &[])],
                "one value for all rows",
            ),
        ] {
            let error = assign(&table(text), &[], &signature(inputs)).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn values_are_what_the_model_will_see_or_refused_with_their_place() {
        let read = |cell: &str, datatype| {
            let rows = table(&format!("x,y\n0,{cell}\n"));
            values(&rows, &Columns(vec![1]), datatype).map_err(|error| error.to_string())
        };
        let number = |n: f64| Ok(Values::Numbers(vec![n]));
        assert_eq!(read("0.1", Datatype::Fp32), number(f64::from(0.1_f32)));
        assert_eq!(read("0.1", Datatype::Fp16), number(0.099_975_585_937_5));
        assert_eq!(read("2049", Datatype::Fp16), number(2048.0));
        assert_eq!(read("1e-7", Datatype::Fp16), number(2.0_f64.powi(-23)));
        assert_eq!(read("0", Datatype::Fp16), number(0.0));
        assert_eq!(read(" 3.0 ", Datatype::Int8), number(3.0));
        assert_eq!(read("True", Datatype::Bool), number(1.0));
        assert_eq!(
            read("a b", Datatype::Bytes),
            Ok(Values::Texts(vec!["a b".into()]))
        );
        let Ok(Values::Numbers(missing)) = read("", Datatype::Fp64) else {
            panic!("an empty cell is a missing value");
        };
        assert!(missing[0].is_nan());
        for (cell, datatype, said) in [
            (
                "NaN",
                Datatype::Fp32,
                "line 2, column \"y\": \"NaN\" is no finite FP32; leave the cell empty",
            ),
            ("1e39", Datatype::Fp32, "\"1e39\" is no finite FP32"),
            ("65520", Datatype::Fp16, "\"65520\" is no finite FP16"),
            ("inf", Datatype::Fp64, "is no finite FP64"),
            (
                "old",
                Datatype::Fp32,
                "\"old\" is no number, and the model takes FP32",
            ),
            (
                "",
                Datatype::Int64,
                "it is empty, and INT64 cannot say that a value is missing",
            ),
            ("1.5", Datatype::Int64, "\"1.5\" is no INT64"),
            ("300", Datatype::Uint8, "\"300\" is no UINT8"),
            ("yes", Datatype::Bool, "\"yes\" is no truth value"),
        ] {
            let error = read(cell, datatype).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
