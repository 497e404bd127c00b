/// What a server answered to one request: its verdict, and what came before it.
package struct DirectoryAnswer: Sendable {
    package var code: ResultCode
    /// The server's words. May be empty, may name values.
    package var diagnostic: String
    /// The nearest entry that is there, where the one asked for is not. AD leaves it empty.
    package var matched: String
    /// Where the server would send us. Never followed.
    package var referrals: [String]
    package var page: EntryPage
    /// Of a paged search: what the next page is asked with; nil after the last.
    package var cookie: [UInt8]?
    /// With the post-read control: the entry as the operation left it.
    package var after: EntryPage.Entry?

    package init(
        code: ResultCode, diagnostic: String = "", matched: String = "", referrals: [String] = [],
        page: EntryPage = EntryPage(), cookie: [UInt8]? = nil, after: EntryPage.Entry? = nil
    ) {
        self.code = code
        self.diagnostic = diagnostic
        self.matched = matched
        self.referrals = referrals
        self.page = page
        self.cookie = cookie
        self.after = after
    }

    /// `20 typeOrValueExists: modify/add: member: value #0 already exists`
    package var sentence: String { diagnostic.isEmpty ? "\(code)" : "\(code): \(diagnostic)" }
}
