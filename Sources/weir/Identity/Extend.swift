import ArgumentParser

struct Extend: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give people more time to decide: the rule's expiry begins anew.",
        discussion: """
            EXAMPLES:
              weir extend leavers --reason "HR is back on Monday"
              weir extend 01J9X2QF
            """)
    static let verb = "extend"
    static let deed = "gives more time for"

    @OptionGroup var choice: DecisionChoice
}
