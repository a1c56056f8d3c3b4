"""Configuration of `jupyter nbconvert --config tests/tools/make_exercise.py`: makes the exercise.

It takes the stub for the blanks from nbgrader's configuration, where it stands once.
"""

c = get_config()
load_subconfig("nbgrader_config.py")

c.NbConvertApp.notebooks = ["solution_12_3_cam.ipynb"]
c.NbConvertApp.output_base = "exercise_12_3_cam"
c.NbConvertApp.export_format = "notebook"
c.FilesWriter.build_directory = "."
c.NotebookExporter.preprocessors = [
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
]
# What an execution leaves behind would make the file differ from run to run.
c.ClearOutput.remove_metadata_fields = {"collapsed", "scrolled", "execution"}
c.ClearMetadataPreprocessor.clear_cell_metadata = False
c.ClearMetadataPreprocessor.preserve_nb_metadata_mask = {"kernelspec", ("language_info", "name")}
