import ArgumentParser

struct Reject: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reject what waits for a decision: one action, or all that a rule holds.",
        discussion: """
            A rejected action may trigger again, and where only a few are left they pass the limit and run. With \
            --mute they are left out until the change is another one: that is what you want when the source is wrong.

            EXAMPLES:
              weir reject leavers --mute --reason "the list was wrong"
              weir reject 01J9X2QF --reason "she stays"
            """)
    static let verb = "reject"
    static let deed = "rejects"

    @OptionGroup var choice: DecisionChoice
    @Flag(help: "Do not ask again until the change is another one.") var mute = false
    @Flag(help: "Leave actions on VIPs undecided.") var exceptVip = false
}
