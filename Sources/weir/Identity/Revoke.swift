import ArgumentParser

struct Revoke: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take an approval back, as long as no sync has begun to carry it out.",
        discussion: """
            EXAMPLES:
              weir revoke 84a353b4c1/leavers --reason "too early"
              weir revoke 01J9X2QF
            """)
    static let verb = "revoke"
    static let deed = "takes back the approval of"

    @OptionGroup var choice: DecisionChoice
}
