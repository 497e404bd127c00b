import ArgumentParser

struct Approve: DecisionCommand {
    static let configuration = CommandConfiguration(
        abstract: "Approve what waits for a decision: one action, or all that a rule holds.",
        discussion: """
            Nothing runs at once: what is approved runs in the next sync that is committed, if the change is still the \
            same. On a terminal you are asked to type how many it is.

            EXAMPLES:
              weir get reviews
              weir approve leavers --except-vip --reason "ticket HR-118"
              weir approve 84a353b4/leavers --yes --reason "ticket HR-118"
              weir approve 01J9X2QF --reason "asked her"
            """)
    static let verb = "approve"
    static let deed = "approves"

    @OptionGroup var choice: DecisionChoice
    @Flag(help: "Leave actions on VIPs undecided.") var exceptVip = false
}
