//! `mlops reference`: from training rows to the file that drift is judged by.

mod csv;
mod values;

use std::path::{Path, PathBuf};

use clap::Args;
use mlops_core::reference::{
    Distribution, FILE_NAME, FORMAT, Feature, MAX_BINS, MAX_FEATURES, Model, Reference, Values,
    of_numbers, of_texts, range,
};
use mlops_core::signature::{Datatype, Signature, Tensor};
use mlops_core::{Error, Result};

use crate::exit::Exit;
use crate::place::Adapters;
use csv::Table;
use values::{Columns, assign, names_of, values};

/// `mlops reference`.
#[derive(Debug, Args)]
pub(crate) struct MakeReference {
    /// ONNX file of the model. It is asked for its predictions of the rows.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// CSV file of the rows that the model was trained on, with the names of columns on the first line. A model of one input
    /// takes the columns in their order; one of several takes those that are called as its inputs, NAME, or NAME[0], NAME[1]
    /// for one that is several values wide. An empty cell is a missing value.
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// Columns that are not for the model, such as the label.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    drop: Vec<String>,
    /// Columns that the model takes and that are not to be watched, such as constant ones.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    skip: Vec<String>,
    /// Watch these columns alone.
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        conflicts_with = "skip"
    )]
    watch: Vec<String>,
    /// Outputs whose values are watched too. Default: the model's first.
    #[arg(long, value_name = "OUTPUT", value_delimiter = ',')]
    prediction: Vec<String>,
    /// Watch no output.
    #[arg(long, conflicts_with = "prediction")]
    no_predictions: bool,
    /// Intervals of a number, and categories of a text, that are told apart.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(2..=MAX_BINS as i64))]
    bins: u8,
    /// File to write. Default: mlops-reference.json beside the model; it travels with the version if the version's source is
    /// that directory.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Makes the file.
pub(crate) fn run(arguments: &MakeReference, adapters: &Adapters) -> Result<Exit> {
    let model = (adapters.model)(&bytes(&arguments.model)?)
        .map_err(|cause| of_file(&arguments.model).because(cause))?;
    let reference = made(arguments, model.as_ref())?;
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| arguments.model.with_file_name(FILE_NAME));
    write(&out, &reference.write())?;
    println!(
        "{}: columns {}, predictions {}, rows {}",
        out.display(),
        reference.features.len(),
        reference.predictions.len(),
        reference.rows
    );
    Ok(Exit::Ok)
}

fn made(arguments: &MakeReference, model: &dyn Model) -> Result<Reference> {
    let table = Table::read(&bytes(&arguments.rows)?)
        .map_err(|cause| of_file(&arguments.rows).because(cause))?;
    let named = |option: &str, names: &[String]| named(&table, option, names);
    let (drop, skip) = (
        named("--drop", &arguments.drop)?,
        named("--skip", &arguments.skip)?,
    );
    let watch = named("--watch", &arguments.watch)?;
    let signature = model.signature();
    let outputs = outputs(arguments, signature)?;
    let inputs = assign(&table, &drop, signature)?;
    let taken: Vec<Values> = signature
        .inputs
        .iter()
        .zip(&inputs)
        .map(|(input, columns)| values(&table, columns, input.datatype))
        .collect::<Result<_>>()
        .map_err(|cause| of_file(&arguments.rows).because(cause))?;
    let watched = |column: &usize| match watch.is_empty() {
        true => !skip.contains(column),
        false => watch.contains(column),
    };
    let bins = arguments.bins.into();
    let mut made = Made::default();
    let mut features = Vec::new();
    for ((input, Columns(columns)), values) in signature.inputs.iter().zip(&inputs).zip(&taken) {
        for (place, column) in columns
            .iter()
            .enumerate()
            .filter(|(_, column)| watched(column))
        {
            let name = &table.names()[*column];
            let values = values.column(place, columns.len());
            features.extend(made.feature(name, input, place, &values, bins));
        }
    }
    made.done("--skip")?;
    let mut predictions = Vec::new();
    if !outputs.is_empty() {
        let answers = model.predict(table.rows(), &taken)?;
        for at in outputs {
            let output = &signature.outputs[at];
            let Some(values) = &answers[at] else {
                return Err(Error::invalid(format!(
                    "output {:?} is not row by row; name others with --prediction, or give --no-predictions",
                    output.name
                )));
            };
            let width = values.len() / table.rows();
            for (place, name) in names_of(&output.name, width).iter().enumerate() {
                let values = values.column(place, width);
                predictions.extend(made.feature(name, output, place, &values, bins));
            }
        }
    }
    made.done("another --prediction, or --no-predictions, in place of")?;
    let count = features.len() + predictions.len();
    if count > MAX_FEATURES {
        return Err(Error::invalid(format!(
            "{count} columns and predictions would be watched, and each is a time series for each of its bins on each server: \
             name at most {MAX_FEATURES} of them with --watch and --prediction"
        )));
    }
    let reference = Reference {
        format: FORMAT.to_owned(),
        rows: table.rows() as u64,
        features,
        predictions,
    };
    // What is written is read by others: they are to accept it.
    let read = Reference::read(&reference.write())?;
    read.fits(signature)?;
    Ok(reference)
}

/// Distributions, and the columns that have none.
#[derive(Default)]
struct Made {
    nothing: Vec<String>,
    why: Option<Error>,
}

impl Made {
    fn feature(
        &mut self,
        name: &str,
        tensor: &Tensor,
        column: usize,
        values: &Values,
        bins: usize,
    ) -> Option<Feature> {
        match distribution(values, tensor.datatype, bins) {
            Ok(distribution) => Some(Feature {
                name: name.to_owned(),
                tensor: tensor.name.clone(),
                column,
                distribution,
            }),
            Err(why) => {
                self.nothing.push(name.to_owned());
                self.why.get_or_insert(why);
                None
            }
        }
    }

    /// All of them at once, in the words of the option that leaves them out.
    fn done(&mut self, option: &str) -> Result<()> {
        let Some(why) = self.why.take() else {
            return Ok(());
        };
        let first = &self.nothing[0];
        Err(Error::invalid(format!(
            "nothing can be told apart in {} of the columns and predictions; give {option} {}",
            self.nothing.len(),
            self.nothing.join(",")
        ))
        .because(Error::invalid(format!("{first:?}: {why}"))))
    }
}

fn distribution(values: &Values, datatype: Datatype, bins: usize) -> Result<Distribution> {
    match values {
        Values::Texts(texts) => of_texts(texts.iter().map(String::as_str), bins),
        Values::Numbers(numbers) if datatype == Datatype::Bool => {
            let truths = numbers
                .iter()
                .map(|n| if *n == 0.0 { "false" } else { "true" });
            of_texts(truths, bins)
        }
        Values::Numbers(numbers) if range(datatype).is_some() && few(numbers, bins) => {
            // A code, a class or a small count: a number that was never seen is another one.
            let texts: Vec<String> = numbers.iter().map(|n| format!("{n:.0}")).collect();
            of_texts(texts.iter().map(String::as_str), bins)
        }
        Values::Numbers(numbers) => of_numbers(numbers, bins),
    }
}

/// Whether each of them can have a bin.
fn few(numbers: &[f64], bins: usize) -> bool {
    let mut seen: Vec<f64> = Vec::with_capacity(bins + 1);
    for number in numbers {
        if !seen.contains(number) {
            seen.push(*number);
        }
        if seen.len() > bins {
            return false;
        }
    }
    true
}

/// Places of the outputs that are watched.
fn outputs(arguments: &MakeReference, signature: &Signature) -> Result<Vec<usize>> {
    if arguments.no_predictions {
        return Ok(Vec::new());
    }
    if arguments.prediction.is_empty() {
        return Ok(vec![0]);
    }
    let known = &signature.outputs;
    let place = |name: &String| {
        known
            .iter()
            .position(|output| output.name == *name)
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|output| &*output.name).collect();
                Error::invalid(format!(
                    "--prediction names {name:?}, and the model has no such output; it has {}",
                    names.join(", ")
                ))
            })
    };
    arguments.prediction.iter().map(place).collect()
}

fn named(table: &Table, option: &str, names: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let at = table.names().iter().position(|known| known == name);
        at.ok_or_else(|| {
            Error::invalid(format!(
                "{option} names {name:?}, and the file has no such column"
            ))
        })
    };
    names.iter().map(place).collect()
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|cause| {
        Error::invalid(format!("{} could not be read", path.display())).because(cause)
    })
}

fn of_file(path: &Path) -> Error {
    Error::invalid(format!("{} cannot be used", path.display()))
}

/// Whole or not at all: a version may be made of the directory at any time.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("json.part");
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|cause| {
        Error::unavailable(format!("{} could not be written", path.display())).because(cause)
    })
}
