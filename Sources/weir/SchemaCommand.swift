import ArgumentParser
import WeirNode

/// `weir schema`: what may be written in a configuration, for editors and for people.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema or the reference of the configuration.",
        discussion: """
            EXAMPLES:
              weir schema > weir.schema.json        for editors
              weir schema --markdown                the reference page
            """)

    @Flag(help: "Print the reference page instead.")
    var markdown = false

    func run() {
        Terminal.out.write(markdown ? ConfigurationReference.markdown : ConfigurationReference.jsonSchema)
    }
}
