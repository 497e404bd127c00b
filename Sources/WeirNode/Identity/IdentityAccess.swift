package import WeirDirectory
package import WeirIdentity

/// What API, console, metrics and command line may see of identity and ask of it.
package protocol IdentityAccess: Sendable {
    var service: any IdentityService { get }
    /// Where approval links are looked at and decide.
    var desk: ApprovalDesk { get }
    /// Who was told what, and what could not be sent.
    var notices: NoticeBook { get }
    /// Host and port under which approval pages are let in beside loopback: that of `identity.mail.url`.
    var approvalHost: String? { get }
    /// The public address begins with `https://`: cookies are then for TLS only.
    var isApprovalSecure: Bool { get }
    /// What directories answered, by silo.
    var directories: [(silo: String, figures: DirectoryCounters.Value)] { get }
    /// True when NowConnect's names are given beside Weir's.
    var givesNowConnectNames: Bool { get }

    /// Looks now at what approvers should be told.
    func notify() async
}
