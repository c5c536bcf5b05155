#!/usr/bin/perl
# Perl's Mail::IMAPTalk, whose parser is a strict one: everything it reads into structures.
# Run as: mail_imaptalk.pl HOST PORT USER PASSWORD
use strict;
use warnings;
use utf8;
use Mail::IMAPTalk;

my ($host, $port, $user, $password, $certificate) = @ARGV;

# It knows TLS from the first octet only, and no STARTTLS.
die "no STARTTLS in Mail::IMAPTalk\n" if $certificate;
my $imap = Mail::IMAPTalk->new(Server => $host, Port => $port, Username => $user, Password => $password, Uid => 1)
    or die "no session: $@";
# The prototype asks for a scalar, where a list would be its elements.
sub must($$) { my ($value, $what) = @_; $value or die "$what: $@\n"; return $value; }
sub same { my ($found, $wanted, $what) = @_; $found eq $wanted or die "$what\nfound  $found\nwanted $wanted\n"; }

must($imap->capability->{imap4rev1}, 'capability');
if ($imap->capability->{namespace}) { same($imap->namespace->[0][0][1], '/', 'namespace'); }
my @names = ('talk', 'two words', 'Entw&APw-rfe &- Mehr', 'p/q', 'quo"te');
for my $name (reverse(@names), 'p', 'Talk') { $imap->unsubscribe($name); $imap->delete($name); }
for my $name (@names) { must($imap->create($name), "create $name"); must($imap->subscribe($name), "subscribe $name"); }
my %there = map { $_->[2] => $_ } @{must($imap->list('', '*'), 'list')};
$there{$_} or die "$_ is not listed: @{[sort keys %there]}" for @names;
my %subscribed = map { $_->[2] => $_ } @{must($imap->lsub('', '*'), 'lsub')};
$subscribed{$_} or die "$_ is not subscribed" for @names;

sub message { my $n = shift; return "From: \"A. Name\" <a\@example.net>\r\nTo: b\@example.org\r\nSubject: Note $n\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\nText $n.\r\n"; }
my $parts = "From: a\@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    . "--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n"
    . "--x\r\nContent-Type: image/png; name=\"p.png\"\r\nContent-Disposition: attachment; filename=\"p.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--x--\r\n";
for my $n (1 .. 4) { must($imap->append('talk', $n == 1 ? '(\\Seen)' : (), {Literal => message($n)}), "append $n"); }
must($imap->append('talk', {Literal => $parts}), 'append');
must($imap->select('talk'), 'select');
same($imap->get_response_code('exists'), 5, 'exists');
my $uids = must($imap->search('all'), 'search');
same(scalar @$uids, 5, 'uids');

my $got = must($imap->fetch('1:*', '(flags rfc822.size internaldate envelope bodystructure)'), 'fetch');
same(scalar keys %$got, 5, 'fetched');
same($got->{$uids->[0]}{'rfc822.size'}, length message(1), 'size');
same($got->{$uids->[0]}{envelope}{From}, '"A. Name" <a@example.net>', 'from');
same($got->{$uids->[1]}{envelope}{Subject}, 'Note 2', 'subject');
same($got->{$uids->[4]}{envelope}{Subject}, '=?utf-8?q?Gr=C3=BC=C3=9Fe?=', 'subject as it is');
my $structure = $got->{$uids->[4]}{bodystructure};
same(lc $structure->{'MIME-Subtype'}, 'mixed', 'multipart');
same($structure->{'MIME-Subparts'}[1]{'Content-Disposition'}{filename}, 'p.png', 'file name');
same($imap->fetch($uids->[4], 'body.peek[2]')->{$uids->[4]}{body}, 'iVBORw==', 'part');
same($imap->fetch($uids->[1], 'body.peek[]')->{$uids->[1]}{body}, message(2), 'message');
my $fields = must($imap->fetch($uids->[1], '(body.peek[header.fields (subject from)])'), 'fields');
same($fields->{$uids->[1]}{headers}{subject}[0], 'Note 2', 'field');

must($imap->store($uids->[1], '+flags', '(\\flagged custom)'), 'store');
my %flags = map { lc $_ => 1 } @{$imap->fetch($uids->[1], 'flags')->{$uids->[1]}{flags}};
$flags{'\\flagged'} && $flags{custom} or die join ' ', keys %flags;
must($imap->store($uids->[1], '-flags.silent', '(\\flagged)'), 'store');
same("@{$imap->search('keyword', 'custom', 'unflagged')}", $uids->[1], 'search');
same("@{$imap->search('subject', {Quote => 'Note 3'})}", $uids->[2], 'search');

must($imap->copy($uids->[0], 'two words'), 'copy');
must($imap->capability->{move} ? $imap->move($uids->[2], 'Entw&APw-rfe &- Mehr') : 1, 'move');
must($imap->store($uids->[3], '+flags.silent', '(\\deleted)'), 'delete');
must($imap->expunge, 'expunge');
same(scalar @{$imap->search('all')}, $imap->capability->{move} ? 3 : 4, 'left');
same($imap->status('two words', '(messages)')->{messages}, 1, 'status');
same($imap->status('Entw&APw-rfe &- Mehr', '(messages unseen uidnext)')->{messages}, 1, 'status') if $imap->capability->{move};
must($imap->noop, 'noop');
must($imap->check, 'check');
must($imap->examine('talk'), 'examine');
must($imap->unselect, 'unselect') if $imap->capability->{unselect};
must($imap->rename('talk', 'Talk'), 'rename');
for my $name ('Talk', @names[1 .. $#names]) { must($imap->delete($name), "delete $name"); }
$imap->unsubscribe($_), $imap->delete($_) for @names, 'p';
!$imap->select('Talk') or die 'it is still there';
must($imap->logout, 'logout');
print "ok\n";
